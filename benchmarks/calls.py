"""What a call costs without a network: each step by itself, and one send over a stub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from linksfield_async import Account, Client, signing
from linksfield_async.operations import SingleVerify
from linksfield_async.protocol import Request, Response, build, decode
from linksfield_async.transport.base import Limits

ROUNDS, CALLS = 15, 2_000
ACCOUNT = Account("P000270")
BODY = (
    b'{"operateCode":"S","message":"success","data":'
    b'{"deviceCode":"89852420180910340793","partnerCode":"P000270"}}'
)
RESPONSE = Response(200, BODY)


def operation() -> SingleVerify:
    return SingleVerify(iccid="89852420180910340793", url="https://dist.linksfield.net/login")


def best_of(call: Callable[[], object], rounds: int) -> float:
    """Microseconds of CPU per call, the best of several rounds: noise only ever adds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time_ns()
        for _ in range(CALLS):
            call()
        best = min(best, (time.process_time_ns() - started) / CALLS / 1000)
    return best


class Stub:
    async def send(self, request: Request, limits: Limits) -> Response:
        return RESPONSE


def best_send(number: int) -> float:
    client = Client(ACCOUNT, transport=Stub())

    async def rounds() -> float:
        best = float("inf")
        for _ in range(number):
            started = time.process_time_ns()
            for _ in range(CALLS):
                await client.vshop.verify_card(iccid="89852420180910340793")
            best = min(best, (time.process_time_ns() - started) / CALLS / 1000)
        return best

    return asyncio.run(rounds())


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    one = operation()
    params = {
        "deviceCode": one.iccid,
        "languageCode": "1",
        "mark": "0",
        "partnerCode": "P000270",
        "terminal": "0",
        "tradeTime": "1645683857572",
        "tradeType": "singleVerify",
        "url": one.url,
        "version": "3.0",
    }

    def build_and_decode() -> None:
        decode(one, ACCOUNT, RESPONSE)
        build(one, ACCOUNT, 1645683857572)

    return {
        "make the operation": best_of(operation, rounds),
        "sign": best_of(lambda: signing.sign(params), rounds),
        "build": best_of(lambda: build(one, ACCOUNT, 1645683857572), rounds),
        "decode": best_of(lambda: decode(one, ACCOUNT, RESPONSE), rounds),
        "build + decode": best_of(build_and_decode, rounds),
        "client.vshop.verify_card over a stub": best_send(rounds),
    }
