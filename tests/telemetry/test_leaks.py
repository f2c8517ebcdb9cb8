"""Calls of every operation, with everything that watches turned up: nothing personal comes out.

Looked at: all log records, spans and metrics, the text and the trace of every exception, and the
repr of what a caller holds afterwards.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, get_args, get_origin

import attrs
import pytest
import transports
from bulk_stubs import service_of
from scanner import Scanner, scanning
from servers import RawServer, Seen

from linksfield_async import OPERATIONS, Account, Endpoints, LinksfieldError, Operation
from linksfield_async.bulk.engine import send_many
from linksfield_async.operation import WIRE_KEY, result_model, wire_fields
from linksfield_async.operations import (
    AddSims,
    GetAsyncResult,
    GetOrder,
    StripeSubDirectly,
)
from linksfield_async.pipeline import Pipeline
from linksfield_async.protocol import Response, decode
from linksfield_async.resilience.clock import Clock
from linksfield_async.telemetry import Logging
from linksfield_async.transport.choice import transport_for
from linksfield_async.values import without_none

ICCID = "89852420180910340793"
EMAIL = "payer.name@example.com"
CLIENT_SECRET = "pi_3L7wXlLnVNBddzsl1phHDiSi_secret_abcDEF0123456789"
PM_ID = "pm_1GnMUDLnVNBddzslXw7xuoe6"
ACCESS_CODE = "AC-7Q4-open-sesame"
SECRETS = (ICCID, EMAIL, CLIENT_SECRET, PM_ID, ACCESS_CODE)
TOLD = f"card {ICCID}, {EMAIL}, {PM_ID}, {CLIENT_SECRET}"

_BY_NAME = {
    "iccid": ICCID,
    "iccids": [ICCID, ICCID],
    "email": EMAIL,
    "pm_id": PM_ID,
    "pay_method": PM_ID,
    "client_secret": CLIENT_SECRET,
    "message": TOLD,
}


def operation_of(kind: type[Operation[Any]]) -> Operation[Any]:
    """One with every field that is required or personal."""
    return kind(
        **{
            field.python: _BY_NAME.get(field.python, "1")
            for field in wire_fields(kind)
            if field.required or field.python in _BY_NAME
        }
    )


def answer_of(kind: type[Operation[Any]]) -> Any:
    """The `data` of a success with every field of the result, and some of nobody's."""
    if kind.result is type(None) or kind.result is None:
        return {}
    if get_origin(kind.result) is tuple:
        model = result_model(kind.result)
        one = {kind.entry_key: ICCID} if model is None else _filled(model)
        return {kind.list_key: [one]}
    model = result_model(kind.result)
    assert model is not None
    return _filled(model)


def _filled(model: type[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"holder": EMAIL, ICCID: TOLD}
    for field in attrs.fields(attrs.resolve_types(model)):
        if WIRE_KEY in field.metadata:
            values[field.metadata[WIRE_KEY].name] = _value(field.name, without_none(field.type))
    return values


def _value(name: str, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return [_filled(inner) if result_model(inner) else _value(name, inner)]
    if kind in (date, Decimal):
        return {date: "2026-01-31", Decimal: "4.99"}[kind]
    return _BY_NAME.get(name, "1")


@pytest.fixture
def scanner() -> Iterator[Scanner]:
    with scanning(SECRETS) as scanner:
        yield scanner


@pytest.fixture
async def sending(
    both: str, server: RawServer, watched: Callable[..., Pipeline], otel: Any, scanner: Scanner
) -> AsyncIterator[Pipeline]:
    asyncio.get_running_loop().set_debug(True)
    options = transports.options(deadline=5, attempts=2, read_timeout=0.2)
    transport = transport_for(options)
    account = Account("P000270", endpoints=Endpoints.at(server.url), access_code=ACCESS_CODE)
    observers = (Logging(bodies=True), otel.observer)
    pipeline = watched(
        account,
        transport,
        options,
        clock=Clock(random=lambda: 0.02),
        observers=observers,
    )
    yield pipeline
    await transport.close()


async def _hang_up(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


def _of_another(kind: type[Operation[Any]]) -> Any:
    data = answer_of(kind)
    other = {"deviceCode": "89852420180910340000", "orderNo": EMAIL, "payId": ICCID}
    return {"operateCode": "S", "data": {**data, **other} if data else [TOLD]}


REFUSAL = {"operateCode": "F", "message": f"no: {TOLD}", "data": {"message": TOLD, ICCID: EMAIL}}
LOCATION = {"Location": f"/?iccid={ICCID}&email={EMAIL}"}
ANSWERS: dict[str, Callable[[RawServer, type[Operation[Any]]], None]] = {
    "good": lambda s, kind: s.answers({"operateCode": "S", "data": answer_of(kind)}),
    "of another card": lambda s, kind: s.answers(_of_another(kind)),
    "refused": lambda s, _: s.answers(REFUSAL, status=400),
    "throttled": lambda s, _: s.answers(REFUSAL, status=429, headers={"Retry-After": "0"}),
    "redirected": lambda s, _: s.answers(REFUSAL, status=302, headers=LOCATION),
    "odd code": lambda s, _: s.answers({"operateCode": f"{ICCID} {EMAIL}", "data": TOLD}),
    "sister": lambda s, _: s.answers({"status": {"code": TOLD, "message": TOLD}, "data": TOLD}),
    "misshapen": lambda s, _: s.answers({"operateCode": "S", "data": [[TOLD], {ICCID: TOLD}]}),
    "page": lambda s, _: s.answers(f"<p>{TOLD}</p>".encode(), status=502),
    "not JSON": lambda s, _: s.answers(TOLD.encode()),
    "not HTTP": lambda s, _: s.answers_bytes(TOLD.encode() + b"\r\n\r\n"),
    "lost": lambda s, _: s.answers_by(_hang_up),
    "silence": lambda s, _: s.answers_bytes(b""),
}


async def _look(scanner: Scanner, sending: Pipeline, operation: Operation[Any]) -> None:
    """Make the call, alone and in bulk, and look at all that a caller gets from it."""
    scanner.look("operation", repr(operation))
    try:
        exchange = await sending.exchange(operation)
    except LinksfieldError as error:
        scanner.look_at_error(error)
    else:
        scanner.look("exchange", repr(exchange))
        scanner.look("request", repr(exchange.request))
        result = exchange.result
        # A bare text is what was asked for; only what the package made can show it masked.
        for part in result if isinstance(result, tuple) else (result,):
            if not isinstance(part, str):
                scanner.look(f"result {type(part).__name__}", repr(part))
    async for outcome in send_many(service_of(sending), [operation], {"concurrency": 1}):
        scanner.look("outcome", repr(outcome) + outcome.reason)


@pytest.mark.parametrize("case", ANSWERS)
async def test_no_operation_leaks(
    case: str, server: RawServer, sending: Pipeline, scanner: Scanner, otel: Any
) -> None:
    kinds = OPERATIONS[:2] if case == "silence" else OPERATIONS  # each costs its read timeout
    for kind in kinds:
        ANSWERS[case](server, kind)
        await _look(scanner, sending, operation_of(kind))
    scanner.look_at_otel(otel)
    scanner.secrets |= {seen.params["sign"] for seen in server.seen}
    assert len(scanner.secrets) > len(SECRETS)
    assert scanner.records > len(kinds)
    assert len(otel.spans) > len(kinds)
    assert scanner.leaks() == []


@pytest.mark.parametrize("kind", [GetAsyncResult, StripeSubDirectly])
def test_texts_in_a_result_do_not_leak(kind: type[Operation[Any]], scanner: Scanner) -> None:
    body = json.dumps({"operateCode": "S", "data": answer_of(kind)}).encode()
    result, _ = decode(operation_of(kind), Account("P1"), Response(200, body))
    scanner.look("result", repr(result))
    assert scanner.leaks() == []


async def test_no_server_there(sending: Pipeline, scanner: Scanner, otel: Any) -> None:
    object.__setattr__(
        sending.shared.account, "endpoints", Endpoints.at("http://127.0.0.1:9")
    )  # closed: nobody serves the discard port
    for kind in OPERATIONS:
        await _look(scanner, sending, operation_of(kind))
    scanner.look_at_otel(otel)
    assert scanner.leaks() == []


def subscribing(**changed: Any) -> StripeSubDirectly:
    fields = {"email": EMAIL, "pay_amount": "1", "pay_currency": "usd", "pay_id": "1"}
    return StripeSubDirectly(**{**fields, "plan_id": "1", "pm_id": PM_ID, **changed})


@pytest.mark.parametrize(
    "operation",
    [
        subscribing(email=f"{EMAIL}\ud800"),
        subscribing(pm_id=f"{PM_ID}\ud800"),
        subscribing(email=[EMAIL]),
        subscribing(pay_amount=EMAIL),
        AddSims(group_id=f"{ICCID}/{EMAIL}", iccids=[ICCID]),
        AddSims(group_id="1", iccids=[f"{ICCID}\ud800", ICCID]),
        AddSims(group_id="1", iccids=[ICCID, 5]),  # type: ignore[list-item]
        GetOrder(iccid=[ICCID]),  # type: ignore[arg-type]
    ],
)
async def test_what_cannot_be_sent_does_not_leak(
    operation: Operation[Any], sending: Pipeline, scanner: Scanner, otel: Any
) -> None:
    await _look(scanner, sending, operation)
    scanner.look_at_otel(otel)
    assert scanner.leaks() == []


async def test_a_cancelled_call_does_not_leak(
    server: RawServer, sending: Pipeline, scanner: Scanner, otel: Any
) -> None:
    server.answers_bytes(b"")
    for kind in OPERATIONS:
        call = asyncio.ensure_future(sending.send(operation_of(kind)))
        await asyncio.sleep(0.01)
        scanner.look("task", repr(call))
        call.cancel()
        try:
            await call
        except asyncio.CancelledError as error:
            scanner.look_at_error(error)
    scanner.look_at_otel(otel)
    scanner.secrets |= {seen.params["sign"] for seen in server.seen}
    assert scanner.leaks() == []


def test_the_account_does_not_leak(scanner: Scanner) -> None:
    scanner.look("account", repr(Account("P1", access_code=ACCESS_CODE)))
    assert scanner.leaks() == []


def test_the_scanner_finds_what_leaks(scanner: Scanner) -> None:
    logging.getLogger("x").debug("%s", "card", extra={"linksfield_iccid": ICCID})
    error = LinksfieldError("lost")
    error.__cause__ = KeyError(EMAIL)
    scanner.look_at_error(error)
    first, second = scanner.leaks()
    assert first.startswith(f"log x, its parts: {ICCID}")
    assert second.startswith(f"trace of LinksfieldError: {EMAIL}")
