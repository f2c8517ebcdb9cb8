"""A sandbox with its time stopped, and a caller with a signer of its own."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import attrs
import pytest

from linksfield_async.sandbox import Sandbox


def sign(params: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in sorted(params.items()) if value is not None}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return hashlib.md5(text.encode()).hexdigest()


@attrs.frozen
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        assert self.status == 200, self.body
        assert self.body["operateCode"] == "S"
        assert self.body["message"] == "success"
        return self.body["data"]

    @property
    def refusal(self) -> str:
        assert self.status == 400, self.body
        assert set(self.body) == {"operateCode", "message", "data"}
        assert self.body["operateCode"] == "F"
        assert {"message", "data"} <= set(self.body["data"])
        return self.body["data"]["message"]


@attrs.define
class Caller:
    session: aiohttp.ClientSession
    sandbox: Sandbox
    partner: str = "P000270"

    def of(self, partner: str) -> "Caller":
        return Caller(self.session, self.sandbox, partner)

    def params(self, path: str, in_path: Mapping[str, str], given: Mapping[str, Any]) -> dict:
        params: dict[str, Any] = {"version": "3.0", "partnerCode": self.partner}
        if not path.startswith("/topup"):
            params |= {"tradeTime": "1645683857572", "tradeType": path.rpartition("/")[2]}
        params |= given
        if "sign" not in params:
            params["sign"] = sign({**params, **in_path})
        return {key: value for key, value in params.items() if value is not ...}

    async def __call__(
        self,
        path: str,
        *,
        http: str = "POST",
        in_path: Mapping[str, str] | None = None,
        **given: Any,
    ) -> Reply:
        params = self.params(path, in_path or {}, given)
        if http == "GET":
            return await self.raw(http, path, params=params)
        return await self.raw(http, path, data=io.BytesIO(json.dumps(params).encode()))

    async def raw(self, http: str, path: str, **options: Any) -> Reply:
        async with self.session.request(http, self.sandbox.url + path, **options) as answer:
            assert answer.content_type == "application/json", await answer.text()
            return Reply(answer.status, await answer.json(), answer.headers)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        # What is waited for happens in the server, which has no event to wait on.
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Any]:
    return _until


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(cards=200) as sandbox:
        sandbox.clock.pause()
        yield sandbox


@pytest.fixture
def call(session: aiohttp.ClientSession, sandbox: Sandbox) -> Caller:
    return Caller(session, sandbox)


@pytest.fixture
def caller_of(session: aiohttp.ClientSession) -> Callable[[Sandbox], Caller]:
    return lambda sandbox: Caller(session, sandbox)


@pytest.fixture
def card(sandbox: Sandbox) -> str:
    return next(sandbox.world.iccids("valid"))


@pytest.fixture
def order(card: str) -> Callable[..., dict[str, str]]:
    """Make the parameters of singleOrder for the 10 GB plan of Singapore."""

    def make(number: str = "1", **changes: str) -> dict[str, str]:
        return {
            "deviceCode": card,
            "packageCode": "PACKAGE20260101000005",
            "servicePlanCode": "SP202601010805",
            "servicePlanShowName": "Singapore 10GB 30-Days",
            "orderPeriod": "1",
            "payAmount": "19.99",
            "payCurrency": "USD",
            "orderNo": f"NO{number}",
            "payId": f"P000270NO{number}",
            **changes,
        }

    return make


@pytest.fixture
def buy(call: Caller, order: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Order and pay; gives the payment id."""

    async def buy(number: str = "1", **changes: str) -> str:
        params = order(number, **changes)
        await call("/vshop/singleOrder", **params)
        paying = {
            "payId": params["payId"],
            "payAmount": params["payAmount"],
            "payCurrency": params["payCurrency"].lower(),
        }
        secret = (await call("/payment/stripePay", **paying)).data["client_secret"]
        call.sandbox.stripe.complete(secret)
        return params["payId"]

    return buy
