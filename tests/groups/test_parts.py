from __future__ import annotations

import json
from typing import Any

import attrs

from linksfield_async.groups.parts import Part, Said, State
from linksfield_async.groups.words import ASSUMED_WORDS
from linksfield_async.operations import AsyncResult, SimResult


@attrs.define
class Told:
    result: AsyncResult
    body: bytes = b""


def part() -> Part:
    return Part(None, ("1",), 1, State.ACCEPTED, "R")  # type: ignore[arg-type]


def heard(one: Part, status: str, *results: SimResult, body: Any = None) -> bool:
    told = Told(AsyncResult(status=status, results=results), json.dumps(body).encode())
    return one.heard(told, ASSUMED_WORDS, 5.0)  # type: ignore[arg-type]


def test_a_word_that_is_not_final_keeps_the_answer() -> None:
    one = part()
    assert not heard(one, "odd", body={"data": {"status": "odd"}})
    assert (one.word, one.last_answer, one.heard_at) == ("odd", {"data": {"status": "odd"}}, 5.0)


def test_an_answer_that_was_cut_is_a_text() -> None:
    one = part()
    heard(one, "odd", body="x" * 5_000)
    assert len(one.last_answer) == 4_096


def test_the_final_word_brings_what_is_said_of_each_card() -> None:
    one = part()
    assert heard(
        one,
        "partial",
        SimResult(iccid="1F", status="SUCCESS"),
        SimResult(iccid="2", status="failed", message="no\ncontract"),
        SimResult(iccid="3", status="odd"),
        SimResult(iccid=None, status="success"),
    )
    assert one.said == {
        "1": Said(True, ""),
        "2": Said(False, "no\\ncontract"),
        "3": Said(None, "the result says 'odd'"),
    }
    assert one.last_answer is None


def test_going_back_is_kept_once() -> None:
    one = part()
    for _ in range(2):
        heard(one, "success")
        assert not heard(one, "processing")
    assert one.contradictions == ("went back from 'success' to 'processing'",)
    assert one.said is None
