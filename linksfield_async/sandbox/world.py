"""The state of the sandbox: cards, plans, orders, payments, subscriptions, groups and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from .answers import Refusal
from .behaviour import GroupBehaviour
from .cards import Card, CardKind, Cards
from .clock import Clock
from .ids import Ids
from .orders import OrderBook
from .plans import PLANS, Plan
from .records import Group, Job, NeedlessChange, Payment, PaymentMethod, Setup, Subscription

_OTHER_PARTNERS = ("P990001", "P990002")


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
        self.payments: list[Payment] = []
        self.setups: list[Setup] = []
        self.methods: dict[str, PaymentMethod] = {}
        self.subscriptions: list[Subscription] = []
        self.groups: dict[str, Group] = {group.group_id: group for group in self._first_groups()}
        self.jobs: dict[str, Job] = {}
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

    def card(self, iccid: str) -> Card | None:
        """Find a card that the service knows, or None."""
        return self.cards.find(iccid)

    def iccids(self, kind: CardKind | None = "valid") -> Iterator[str]:
        """Yield the ICCIDs of a kind; None means all, `unknown` those never delivered."""
        return self.cards.iccids(kind)

    def is_valid(self, iccid: str) -> bool:
        """Tell whether the sandbox's partner may sell for a card."""
        card = self.cards.find(iccid)
        return card is not None and card.kind == "valid"

    def card_problem(self, iccid: str, partner_code: str) -> str | None:
        """Say why a partner may not use a card, or None."""
        card = self.cards.find(iccid)
        if card is None:
            return "the card is unknown"
        if card.partner_code != partner_code:
            return "the card belongs to another partner"
        return "the card is suspended" if card.kind == "suspended" else None

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
