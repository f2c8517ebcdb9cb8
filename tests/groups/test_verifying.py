from __future__ import annotations

import pytest

from linksfield_async.groups.parts import Part, Said, State
from linksfield_async.groups.verifying import concluded, why_unknown

YES, NO, ODD = Said(True, ""), Said(False, "no contract"), Said(None, "the result says 'odd'")


@pytest.mark.parametrize(
    ("adding", "said", "is_member", "verdict"),
    [
        (True, YES, True, "done"),
        (True, YES, False, None),
        (True, NO, False, "refused"),
        (True, NO, True, "done"),
        (True, None, True, "done"),
        (True, None, False, None),
        (True, ODD, True, "done"),
        (True, ODD, False, None),
        (False, YES, False, "done"),
        (False, YES, True, None),
        (False, NO, True, "refused"),
        (False, None, False, "done"),
        (True, YES, None, "done"),
        (True, NO, None, "refused"),
        (True, ODD, None, None),
        (True, None, None, None),
    ],
)
def test_the_group_decides_and_the_result_explains(
    adding: bool, said: Said | None, is_member: bool | None, verdict: str | None
) -> None:
    assert concluded(adding=adding, said=said, is_member=is_member)[0] == verdict


def test_a_refusal_that_the_group_contradicts_is_told() -> None:
    _, reason = concluded(adding=True, said=NO, is_member=True)
    assert "no contract" in reason


@pytest.mark.parametrize(
    ("state", "said", "told"),
    [
        (State.DOUBT, None, "the answer was lost"),
        (State.GONE, None, "knows nothing of the request any more"),
        (State.ENDED, None, "missing from the result"),
        (State.ENDED, YES, "the result says it is done, but"),
        (State.ENDED, ODD, "'odd'"),
    ],
)
def test_why_it_stays_unknown(state: State, said: Said | None, told: str) -> None:
    part = Part(None, ("1",), 1, state, note="lost")  # type: ignore[arg-type]
    assert told in why_unknown(part, said)
    assert "the group does not show the change" in why_unknown(part, said)
