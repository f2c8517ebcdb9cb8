from __future__ import annotations

import json

import pytest

from linksfield_async import InvalidInput
from linksfield_async.groups.cards import digest_of
from linksfield_async.groups.tokens import Token, read_token

FEW = tuple(f"8985{n:015d}" for n in range(20))


def token(iccids: tuple[str, ...] = FEW) -> Token:
    return Token(
        group_id="G1",
        change="add",
        requests=(("REQ1", 12), ("REQ2", 8)),
        cards=len(iccids),
        digest=digest_of(iccids),
        iccids=iccids,
    )


def test_there_and_back() -> None:
    assert read_token(token().text()) == token()
    assert "\n" not in token().text()
    assert FEW[0] not in repr(token())


def test_many_iccids_do_not_stand_in_it() -> None:
    text = token((*FEW, "8985999999999999999")).text()
    assert "8985" not in text
    assert read_token(text).iccids == ()
    assert read_token(text).cards == 21


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"v": 2}, "version 2"),
        ({"kind": "x"}, "not that of a change"),
        ({"change": "move"}, "incomplete or was changed"),
        ({"requests": [["REQ1"]]}, "incomplete"),
        ({"requests": [["", 1]]}, "incomplete"),
        ({"cards": True}, "incomplete"),
        ({"iccids": ["x"]}, "ICCID"),
        ({"iccids": FEW[1:]}, "was changed"),
        ({"iccids": ["8985999999999999999", *FEW[1:]]}, "was changed"),
        ({"digest": "d"}, "was changed"),
        ({"cards": 19}, "was changed"),
        ({"v": True}, "version True"),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, object], told: str) -> None:
    text = json.dumps(json.loads(token().text()) | change)
    with pytest.raises(InvalidInput, match=told):
        read_token(text)


@pytest.mark.parametrize("text", ["", "x", "[" * 100_000, "9" * 5_000, "[]", "null", None, 5])
def test_what_is_no_token(text: object) -> None:
    with pytest.raises(InvalidInput):
        read_token(text)  # type: ignore[arg-type]
