from __future__ import annotations

import itertools

import pytest

from linksfield_async import Contradiction
from linksfield_async.checkout.state import EDGES, State, moved

EVERY_PAIR = list(itertools.product(EDGES, State))


@pytest.mark.parametrize(("old", "new"), EVERY_PAIR)
def test_states_move_along_the_edges_only(old: State, new: State) -> None:
    if new is old or new in EDGES[old]:
        assert moved(old, new, "told") is new
    else:
        with pytest.raises(Contradiction, match=f"told: a checkout that is {old}"):
            moved(old, new, "told")


def test_unknown_lies_over_a_state_and_is_none_of_the_edges() -> None:
    assert State.UNKNOWN not in EDGES
    assert all(State.UNKNOWN not in after for after in EDGES.values())
    assert set(EDGES) == set(State) - {State.UNKNOWN}


def test_money_that_was_taken_is_never_forgotten() -> None:
    assert EDGES[State.PAID] == {State.CONFIRMED}
    assert not EDGES[State.CONFIRMED]
    assert State.PAID in EDGES[State.FAILED]
