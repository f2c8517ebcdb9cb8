"""The state of the sandbox: cards, plans, orders, payments, subscriptions, groups and jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import attrs

from .answers import Refusal
from .behaviour import GroupBehaviour
from .cards import Card, CardKind, Cards
from .clock import Clock
from .ids import Ids
from .ledger import Ledger
from .orders import OrderBook
from .plans import PLANS, Plan
from .records import (
    Group,
    Job,
    Message,
    NeedlessChange,
    Order,
    Payment,
    PaymentMethod,
    Setup,
    Subscription,
)

_OTHER_PARTNERS = ("P990001", "P990002")


@attrs.frozen(kw_only=True)
class CardState(Card):
    """A card and all that was done for it by now."""

    orders: tuple[Order, ...] = attrs.field(repr=lambda some: f"<{len(some)}>")
    payments: tuple[Payment, ...] = attrs.field(repr=lambda some: f"<{len(some)}>")
    subscriptions: tuple[Subscription, ...] = attrs.field(repr=lambda some: f"<{len(some)}>")
    groups: tuple[Group, ...] = attrs.field(repr=lambda some: f"<{len(some)}>")


class World:
    """Everything the service knows; two partners share it, so that cards can be foreign."""

    def __init__(self, *, cards: int, seed: int, partner_code: str, clock: Clock) -> None:
        self.clock = clock
        self.seed = seed
        self.partner_code = partner_code
        self.other_partner = next(code for code in _OTHER_PARTNERS if code != partner_code)
        """A second partner, who owns the foreign cards and one group (invented)."""
        self.partner_codes = frozenset((partner_code, self.other_partner))
        self.cards = Cards(seed, cards, partner_code, self.other_partner)
        self.plans: tuple[Plan, ...] = PLANS
        self.ids = Ids(seed)
        self.orders = OrderBook()
        self.ledger = Ledger()
        self.suspended: set[str] = set()
        """Cards that were suspended since the start."""
        self.groups: dict[str, Group] = {group.group_id: group for group in self._first_groups()}
        self.jobs: dict[str, Job] = {}
        self.messages: dict[int, Message] = {}
        """The recharge messages that were not taken yet, by their event."""
        self.group_behaviour = GroupBehaviour()
        """How the group service behaves; well, until something is set."""
        self._needless: list[NeedlessChange] = []

    def _first_groups(self) -> Iterator[Group]:
        # From the end, so that the first cards, which are used first, are in no group.
        valid = self.cards.iccids("valid", backwards=True)
        for group_id, name, size, bundles in (
            ("G1001", "Europe fleet", 12, PLANS[:2]),
            ("G1002", "新加坡 trial", 5, PLANS[3:5]),
            ("G1003", "Spare", 0, PLANS[5:6]),
        ):
            members = dict.fromkeys(islice(valid, size))
            yield Group(group_id, name, self.partner_code, bundles, members)
        foreign = dict.fromkeys(islice(self.cards.iccids("foreign", backwards=True), 2))
        yield Group("G9001", "Another partner's", self.other_partner, PLANS[:1], foreign)

    @property
    def payments(self) -> list[Payment]:
        """All payments, oldest first."""
        return self.ledger.payments

    @property
    def setups(self) -> list[Setup]:
        """All setup intents, oldest first."""
        return self.ledger.setups

    @property
    def methods(self) -> dict[str, PaymentMethod]:
        """The payment methods by their ids."""
        return self.ledger.methods

    @property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions, oldest first."""
        return self.ledger.subscriptions

    def card(self, iccid: str) -> CardState | None:
        """Find a card that the service knows, with all that was done for it, or None."""
        card = self.cards.find(iccid)
        if card is None:
            return None
        orders = tuple(self.orders.of_card(iccid))
        return CardState(
            iccid=iccid,
            index=card.index,
            kind="suspended" if iccid in self.suspended else card.kind,
            partner_code=card.partner_code,
            orders=orders,
            payments=tuple(one for order in orders for one in self.ledger.payments_of(order)),
            subscriptions=tuple(self.ledger.subscriptions_of(iccid)),
            groups=tuple(group for group in self.groups.values() if iccid in group.members),
        )

    def suspend(self, iccid: str) -> None:
        """Suspend a card, as an unpaid renewal does in the end."""
        self.suspended.add(iccid)

    def reinstate(self, iccid: str) -> None:
        """Take a suspension back; cards that were suspended from the start stay so."""
        self.suspended.discard(iccid)

    def iccids(self, kind: CardKind | None = "valid") -> Iterator[str]:
        """Yield the ICCIDs of a kind; None means all, `unknown` those never delivered."""
        return self.cards.iccids(kind)

    def is_valid(self, iccid: str) -> bool:
        """Tell whether the sandbox's partner may sell for a card."""
        card = self.cards.find(iccid)
        return card is not None and card.kind == "valid" and iccid not in self.suspended

    def card_problem(self, iccid: str, partner_code: str) -> str | None:
        """Say why a partner may not use a card, or None."""
        card = self.cards.find(iccid)
        if card is None:
            return "the card is unknown"
        if card.partner_code != partner_code:
            return "the card belongs to another partner"
        suspended = card.kind == "suspended" or iccid in self.suspended
        return "the card is suspended" if suspended else None

    def need_card(self, iccid: str, partner_code: str) -> None:
        """Refuse a card that a partner may not use."""
        problem = self.card_problem(iccid, partner_code)
        if problem is not None:
            raise Refusal(problem)

    def needless_changes(self) -> list[NeedlessChange]:
        """List each add of a member and each removal of a non-member that was accepted.

        Judged at the receipt: a change that was accepted and is not carried out yet counts as if
        it were, so that a repeat of it is needless too.
        """
        return list(self._needless)

    def note_needless(self, change: NeedlessChange) -> None:
        """Keep a needless change for the judge."""
        self._needless.append(change)

    def replace_needless(self, changes: Iterable[NeedlessChange]) -> None:
        """Put others in place of all needless changes noted so far."""
        self._needless = list(changes)
