"""What is stored of an outcome, and made of it again: the same for errors and for results."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bulk_stubs import ACCOUNT, GOOD, Answers, iccid, iccids, listed, order
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import OPERATIONS, errors
from linksfield_async.bulk.journal.hiding import Hiding
from linksfield_async.bulk.journal.rows import (
    LONGEST_ANSWER,
    Reviver,
    Stored,
    answer_text,
    cells_of,
    error_of,
    error_text,
    says_not_carried_out,
)
from linksfield_async.bulk.journal.schema import NAMES
from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.bulk.outcome import Outcome, verdict_on
from linksfield_async.bulk.progress import VERDICTS
from linksfield_async.errors import LinksfieldError, OutcomeUnknown
from linksfield_async.operation import Effect, Service, wire_fields
from linksfield_async.operations import SingleVerify

CONTRACT = json.loads((Path(__file__).parents[2] / "contract" / "operations.json").read_text())
ENTRIES = {entry["name"]: entry for entry in CONTRACT["operations"]}
KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, LinksfieldError)
    ),
    key=lambda kind: kind.__name__,
)
KEY = "a key of many letters"
PLAIN = Hiding(None)


def stored(cells):
    return Stored(*cells[:8], *cells[9:11])


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.integers(100, 599),
        "code": st.sampled_from(["F", "403", ""]),
        "elapsed": st.floats(0, 100),
        "carried_out": st.sampled_from([None, False]),
        "needs_reconciliation": st.booleans(),
    },
)


@given(st.sampled_from(KINDS), st.text(), FACTS, st.integers(0, 5))
def test_every_error_comes_back(kind, message, facts, attempts):
    error = kind(message, operation=order(1), attempts=attempts, **facts)
    cells = cells_of(7, verdict_on(error), attempts=attempts, error=error_text(error, None, PLAIN))
    outcome = Reviver(ACCOUNT, Hiding(None)).outcome(stored(cells), order(1), iccid(1))
    made = outcome.error
    assert type(made) is kind
    assert (str(made), outcome.reason) == (str(error), str(error))
    assert made.as_json() == error.as_json()
    assert made.operation == order(1)
    assert (outcome.position, outcome.attempts, outcome.replayed) == (7, attempts, True)
    assert verdict_on(made) == outcome.verdict
    assert says_not_carried_out(stored(cells)) == (error.carried_out is False)


def test_an_error_of_another_release_is_an_error_still():
    for name in ("NoSuchThing", "Any", "annotations", "Exception"):
        made = error_of({"error": name, "message": "x", "status": 500}, None)
        assert (type(made), str(made), made.status) == (LinksfieldError, "x", 500)


def test_no_secret_is_written_of_an_error():
    error = OutcomeUnknown(f"of {iccid(1)}", data={"iccid": iccid(1)}, operation=order(1))
    assert iccid(1) not in error_text(error, None, PLAIN)
    assert iccid(1) not in error_text(None, f"the card {iccid(1)} has a plan", PLAIN)
    error_text(None, "a lone surrogate \ud800", PLAIN).encode()
    assert "8985" not in error_text(error, None, Hiding(KEY))


@given(
    st.sampled_from(VERDICTS),
    st.integers(0, 2**40),
    st.integers(0, 9),
    st.integers(0, 2**40) | st.none(),
    st.integers(0, 2**40) | st.none(),
    st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=50) | st.none(),
)
def test_every_fact_of_an_outcome_comes_back(verdict, position, attempts, row, double, evidence):
    cells = cells_of(
        position,
        verdict,
        attempts=attempts,
        row=row,
        duplicate_of=double,
        error=error_text(None, evidence, PLAIN),
    )
    assert Reviver(ACCOUNT, Hiding(None)).outcome(stored(cells), None, "1") == Outcome(
        position,
        "1",
        verdict,
        None,
        None,
        attempts,
        row=row,
        duplicate_of=double,
        replayed=True,
        settled=evidence,
    )


def test_what_a_row_is():
    assert {
        NAMES[code]: (row.is_decided, row.is_settled)
        for code in NAMES
        for row in [stored(cells_of(0, NAMES[code]))]
    } == {
        "valid": (True, False),
        "refused": (True, False),
        "invalid_input": (True, False),
        "failed": (False, False),
        "unknown": (False, False),
    }
    cells = cells_of(0, "valid")
    cells[2] = 1
    assert stored(cells).is_settled
    assert not stored(cells_of(0, None)).is_decided


def test_answers_that_are_not_kept():
    plain = Hiding(None)
    assert answer_text(b"", "1", plain) is None
    assert answer_text(b"x" * LONGEST_ANSWER, "1", plain) is not None
    assert answer_text(b"x" * (LONGEST_ANSWER + 1), "1", plain) is None
    assert answer_text(b"\xef\xbb\xbf{}", "1", plain) == "{}"


def test_a_result_is_made_of_its_answer_or_asked_for_again():
    revive, read = Reviver(ACCOUNT, PLAIN).outcome, SingleVerify(iccid=iccid(1))
    for answer in (None, "{", json.dumps({"operateCode": "F", "message": "no"})):
        row = stored(cells_of(0, "valid", answer=answer))
        assert revive(row, read, iccid(1)) is None
        # What must not be carried out twice is not asked for again.
        assert revive(row, order(1), iccid(1)).verdict == "valid"
        assert revive(row, order(1), iccid(1)).result is None
    double = stored(cells_of(5, "valid", duplicate_of=0))
    assert revive(double, order(1), iccid(1)) is None
    assert revive(stored(cells_of(0, "refused")), read, iccid(1)).verdict == "refused"


def filled(kind):
    """An operation with a value in each field."""
    money = {"pay_amount", "pay_unit", "settle_price"}
    values = {
        field.python: "12.30" if field.python in money else "1" for field in wire_fields(kind)
    }
    for name, value in (("iccid", iccid(1)), ("iccids", (iccid(1), iccid(2)))):
        if name in values:
            values[name] = value
    return kind(**values)


def told(kind):
    """An answer with a value in each field that the contract names."""
    entry = ENTRIES[kind.__name__]
    sample = entry["samples"].get("response")
    if sample is not None:
        text = re.sub(r'("(?:orderNo|payId)": )"[^"]*"', r'\1"1"', json.dumps(sample))
        return json.loads(re.sub(r'("(?:deviceCode|sim_id)": )"[^"]*"', rf'\1"{iccid(1)}"', text))
    data = {field["wire"]: "1" for field in entry["response"]["fields"] if "fields" not in field}
    for name in ("deviceCode", "sim_id"):
        data |= {name: iccid(1)} if name in data else {}
    data |= {"note": f"ä {iccid(1)} 中 1.10", "amount": 1.10}
    if kind.list_key:
        data = {kind.list_key: [iccid(2), iccid(3)] if kind.entry_key else [data]}
    return {"operateCode": "S", "data": data}


def raw_bytes(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
async def test_the_result_of_every_operation_comes_back(tmp_path, kind, key):
    operation, answer = filled(kind), told(kind)
    journal = Journal(tmp_path / "run.db", key=key)
    transport = Answers(lambda _: answer)
    run = transport.client().send_many([operation], journal=journal)
    first = await anext(run)
    assert first.verdict == "valid", first.reason
    if key is not None:
        for number in range(4):
            assert iccid(number).encode() not in raw_bytes(tmp_path)
    assert await listed(run) == []
    if key is not None:
        for number in range(4):
            assert iccid(number).encode() not in raw_bytes(tmp_path)
    again = Answers(lambda _: answer)
    (second,) = await listed(again.client().send_many([operation], journal=journal, replay="all"))
    assert second.verdict == first.verdict
    # An answer is not kept with what is secret in it, or with cards that are to be hidden.
    is_kept = kind.service is not Service.PAYMENT and key is None
    if kind.effect is Effect.ONCE:
        assert again.sent == []
        assert second.result in ((first.result,) if is_kept else (first.result, None))
    else:
        assert second.result == first.result
        assert again.sent == [] or not is_kept


async def test_no_card_stands_in_a_journal_with_a_key(tmp_path):
    """Not in the file, nor in its log, whatever becomes of them, in any spelling."""
    answers = {
        iccid(1): {
            "operateCode": "F",
            "message": f"no {iccid(1)} here, nor 8985 0000 0000 0000 001",
        },
        iccid(2): {"what": iccid(2)},
        iccid(3): OutcomeUnknown(f"lost {iccid(3)}"),
    }

    def answer(params):
        card = params["deviceCode"]
        return answers.get(card, GOOD | {"data": {"deviceCode": card, "like": [card, card + "F"]}})

    transport = Answers(answer)
    given = ["8985 0000 0000 0000 004", f"'{iccid(5)}", f"{iccid(6)}F", "8985-0000-0000-0000-00x"]
    items = [*iccids(1100), *given, iccid(1)]
    journal = Journal(tmp_path / "run.db", key=KEY)
    run = transport.client().verify_many(items, journal=journal, stop=None)
    digits = set()
    async for outcome in run:
        if outcome.position % 400 == 0:
            digits |= {int(d) for d in re.findall(rb"8985[0-9]{11,}", raw_bytes(tmp_path))}
    digits |= {int(d) for d in re.findall(rb"8985[ -]?[0-9]{4,}", raw_bytes(tmp_path))}
    assert digits == set()
    assert len(raw_bytes(tmp_path)) > 50_000
    again = Answers(answer)
    replayed = await listed(
        again.client().verify_many(items, journal=journal, replay="all", stop=None)
    )
    assert len(replayed) == len(items)
    assert {o.position: o.iccid for o in replayed if o.verdict == "valid"} == {
        n: iccid(n) for n in range(1100) if n not in (1, 2, 3)
    } | {1100: iccid(4), 1101: iccid(5), 1102: iccid(6)}


async def test_another_key_is_refused_before_anything_is_sent(tmp_path):
    path, items = tmp_path / "run.db", iccids(5)
    await listed(Answers().client().verify_many(items, journal=Journal(path, key=KEY)))
    again = Answers()
    for key in (None, "another key of many letters"):
        with pytest.raises(errors.JournalRefused, match="key"):
            await listed(again.client().verify_many(items, journal=Journal(path, key=key)))
    assert again.sent == []
    run = again.client().verify_many(items, journal=Journal(path, key=KEY.encode()))
    assert await listed(run) == []


def test_the_operation_is_that_of_the_run():
    operation = SingleVerify(iccid=iccid(1))
    cells = cells_of(0, "valid", status=200, answer=json.dumps(GOOD))
    outcome = Reviver(ACCOUNT, Hiding(None)).outcome(stored(cells), operation, iccid(1))
    assert outcome.result is not None
    assert Reviver(ACCOUNT, Hiding(None)).outcome(stored(cells), None, iccid(1)).result is None
