"""Groups what is not valid by its reason: one group for the same reason about many cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

import attrs

from ...masking import one_line
from ..outcome import Outcome, Verdict

MOST_GROUPS = 200
"""Reasons kept apart; what comes after them is one group more."""
MOST_EXAMPLES = 5
"""Rows that a group remembers."""

_LONGEST_CODE = 64

# What starts with a digit may name a card, an order or a moment; so may a masked ICCID.
_VARYING = re.compile("([0-9][0-9A-Za-z…]*+)")


@attrs.define(eq=False)
class Reason:
    """Outcomes that are not valid for the same reason."""

    verdict: Verdict | None
    """None where verdicts are mixed."""
    kind: str
    """Name of the error's class; empty where there is none, or more than one."""
    status: int | None
    code: str | None
    fixed: tuple[str, ...]
    """The text around what varies."""
    varying: list[str | None]
    """What starts with a digit; None where that differs."""
    count: int = 0
    rows: list[int] = attrs.field(factory=list)
    """The first few that came, as a spreadsheet counts."""
    positions: list[int] = attrs.field(factory=list)
    """The same where the source has no rows: indices from 0."""

    @property
    def text(self) -> str:
        """The reason, with … for what differs between its cards."""
        between = ("…" if one is None else one for one in self.varying)
        return "".join(chain.from_iterable(zip_longest(self.fixed, between, fillvalue="")))


class Reasons:
    """Groups of outcomes, of constant size however many reasons there are."""

    def __init__(self) -> None:
        self.others = Reason(None, "", None, None, ("other reasons",), [])
        """What came when there were `MOST_GROUPS` groups already and fits none of them."""
        self._groups: dict[tuple[Any, ...], Reason] = {}

    def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome that is not valid."""
        error = outcome.error
        if error is None:
            pieces, status, code = ["no reason given"], None, None
        else:
            pieces, status, code = _VARYING.split(str(error)), error.status, error.code
            if code is not None:
                code = code[:_LONGEST_CODE]
        fixed, varying = tuple(pieces[::2]), pieces[1::2]
        key = (outcome.verdict, type(error), status, code, fixed)
        group = self._groups.get(key)
        if group is None:
            group = self._new(key, varying)
        else:
            for index, known in enumerate(group.varying):
                if known is not None and known != varying[index]:
                    group.varying[index] = None
        group.count += 1
        if group.count <= MOST_EXAMPLES:
            if outcome.row is None:
                group.positions.append(outcome.position)
            else:
                group.rows.append(outcome.row)

    def groups(self) -> list[Reason]:
        """Give the groups, the largest first, and `others` last if there are any."""
        found = sorted(self._groups.values(), key=lambda group: -group.count)
        return [*found, self.others] if self.others.count else found

    def _new(
        self,
        key: tuple[Verdict, type[Any], int | None, str | None, tuple[str, ...]],
        varying: Sequence[str],
    ) -> Reason:
        if len(self._groups) >= MOST_GROUPS:
            return self.others
        verdict, kind, status, code, fixed = key
        name = kind.__name__ if issubclass(kind, Exception) else ""
        shown = None if code is None else one_line(code)
        group = Reason(verdict, name, status, shown, fixed, [*varying])
        self._groups[key] = group
        return group
