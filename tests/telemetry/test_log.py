from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from stubs import Answering

from linksfield_async import Account
from linksfield_async.errors import OutcomeUnknown, Refused
from linksfield_async.operations import AddSims, ResultConfirm, SingleVerify, SynOrderInfo
from linksfield_async.pipeline import Pipeline
from linksfield_async.resilience.clock import Clock
from linksfield_async.telemetry import Logging, observers_with_log

ICCID = "89852420180910340793"
VERIFY = SingleVerify(iccid=ICCID)
S = {"operateCode": "S", "data": {"deviceCode": ICCID}}
Make = Callable[..., Pipeline]


def facts(record: logging.LogRecord) -> dict[str, Any]:
    return {
        name.removeprefix("linksfield_"): value
        for name, value in vars(record).items()
        if name.startswith("linksfield_")
    }


@pytest.fixture
def debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "linksfield_async")
    return caplog


async def test_attempts_waits_and_the_end(watched: Make, debug: pytest.LogCaptureFixture) -> None:
    sending = watched(
        *(Account("P1"), Answering(OutcomeUnknown("lost"), S)),
        clock=Clock(random=lambda: 0.05),
        observers=(Logging(),),
    )
    await sending.send(VERIFY)
    lost, wait, good, end = map(facts, debug.records)
    shared = {"operation": "SingleVerify", "service": "vshop", "effect": "read"}
    assert all(shared.items() <= each.items() for each in (lost, wait, good, end))
    assert [each["event"] for each in (lost, wait, good, end)] == [
        *("attempt", "wait", "attempt", "end")
    ]
    assert (lost["attempt"], lost["status"], lost["outcome"]) == (1, None, "unknown")
    assert lost["error"] == "OutcomeUnknown"
    assert wait["wait"] == "pause"
    assert wait["ms"] >= 9
    assert (good["attempt"], good["status"], good["outcome"]) == (2, 200, "ok")
    assert (end["attempts"], end["code"], end["carried_out"]) == (2, "S", True)
    assert end["iccid"] == "898524…0793"
    assert {record.levelno for record in debug.records} == {logging.DEBUG}
    texts = [record.getMessage() for record in debug.records]
    assert texts[0].startswith("SingleVerify attempt: 1, no answer, unknown, ")
    assert texts[0].endswith(" ms (OutcomeUnknown: lost)")
    assert texts[3].startswith("SingleVerify ended: ok after ")


async def test_doubt_about_what_happens_once_is_a_warning(
    watched: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "linksfield_async")
    sending = watched(*(Account("P1"), Answering(OutcomeUnknown("lost"))), observers=(Logging(),))
    with pytest.raises(OutcomeUnknown):
        await sending.send(ResultConfirm(pay_id="P1\n99"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    text = record.getMessage()
    assert text.startswith("ResultConfirm may have been carried out, ask before anything else: ")
    assert text.endswith("attempts: 1 (OutcomeUnknown: lost), pay_id P1\\n99")
    assert facts(record)["carried_out"] is None
    caplog.clear()
    with pytest.raises(OutcomeUnknown):
        await sending.send(VERIFY)
    assert caplog.records == []


async def test_what_is_certain_is_no_warning(
    watched: Make, caplog: pytest.LogCaptureFixture
) -> None:
    refused = {"operateCode": "F", "message": "no"}
    sending = watched(Account("P1"), Answering(S, refused), observers=(Logging(),))
    await sending.send(ResultConfirm(pay_id="1"))
    with pytest.raises(Refused):
        await sending.send(ResultConfirm(pay_id="1"))
    assert caplog.records == []


async def test_a_refusal_that_proves_nothing_is_a_warning(
    watched: Make, caplog: pytest.LogCaptureFixture
) -> None:
    names = [field.name for field in SynOrderInfo.__attrs_attrs__ if field.name != "iccid"]
    order = SynOrderInfo(iccid=ICCID, **dict.fromkeys(names, "1"))
    refused = {"operateCode": "F", "message": "no"}
    with pytest.raises(Refused):
        await watched(Account("P1"), Answering(refused), observers=(Logging(),)).send(order)
    (record,) = caplog.records
    assert "iccid 898524…0793, order_no 1, pay_id 1" in record.getMessage()


async def test_a_cancelled_attempt_of_what_happens_once_is_a_warning(
    watched: Make, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging:
        async def send(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    sending = watched(Account("P1"), Hanging(), observers=(Logging(),))
    call = asyncio.ensure_future(sending.send(AddSims(group_id="g", iccids=[ICCID] * 5)))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (record,) = caplog.records
    assert facts(record)["outcome"] == "cancelled"
    assert "5 in all], group_id g" in record.getMessage()
    assert ICCID not in record.getMessage()


@pytest.mark.parametrize("bodies", [False, True])
async def test_bodies_only_where_asked_for_and_masked(
    watched: Make, debug: pytest.LogCaptureFixture, bodies: bool
) -> None:
    sending = watched(Account("P1"), Answering(S), observers=(Logging(bodies=bodies),))
    await sending.send(VERIFY)
    texts = [record.getMessage() for record in debug.records]
    assert ("deviceCode" in "".join(texts)) is bodies
    assert not any(ICCID in text for text in texts)
    if bodies:
        assert texts[1].startswith("SingleVerify sent: POST https://")
        assert '"deviceCode":"898524…0793"' in texts[1]
        assert texts[2].startswith('SingleVerify received: HTTP 200 {"operateCode": "S"')


def test_nothing_is_followed_where_nothing_would_be_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "linksfield_async")
    assert Logging(bodies=True).call(VERIFY) is None
    assert Logging().call(ResultConfirm(pay_id="1")) is not None


def test_nothing_is_configured() -> None:
    logger = logging.getLogger("linksfield_async")
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    assert logger.level == logging.NOTSET
    assert logger.propagate


def test_the_log_is_always_there_and_once(debug: pytest.LogCaptureFixture) -> None:
    for given in ((), (Logging(),), (Logging(bodies=True),)):
        call = observers_with_log(given).watch(VERIFY, lambda: 0.0)
        assert call is not None
        call.ended(raw=S)
        assert len(debug.records) == 1
        debug.clear()
