"""The same POST by others: aiohttp as one writes it by hand, httpx, requests, and three SDKs' layers.

What an SDK repeats by itself is switched off, so that each call is one request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from driving import AsyncCalls, Calls, Contender, in_flight, in_threads, on_asyncio, on_uvloop
from work import PATH, Target, check, signed


@asynccontextmanager
async def idiomatic_aiohttp(target: Target) -> AsyncIterator[AsyncCalls]:
    import aiohttp  # noqa: PLC0415  # each contender loads its own library only

    connector = aiohttp.TCPConnector(limit=target.concurrency, ssl=target.tls() or True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(iccid: str) -> None:
            async with session.post(target.endpoint, json=signed(iccid)) as answer:
                answer.raise_for_status()
                check(await answer.json())

        yield in_flight(one, target.concurrency)


@asynccontextmanager
async def async_httpx(target: Target) -> AsyncIterator[AsyncCalls]:
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(
        max_connections=target.concurrency, max_keepalive_connections=target.concurrency
    )
    async with httpx.AsyncClient(limits=limits, verify=target.tls() or True) as client:

        async def one(iccid: str) -> None:
            answer = await client.post(target.endpoint, json=signed(iccid))
            answer.raise_for_status()
            check(answer.json())

        yield in_flight(one, target.concurrency)


@contextmanager
def threaded_requests(target: Target) -> Iterator[Calls]:
    import requests  # noqa: PLC0415
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    with requests.Session() as session:
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=target.concurrency)
        session.mount(target.url, adapter)
        if target.ca_file is not None:
            session.verify = target.ca_file

        def one(iccid: str) -> None:
            answer = session.post(target.endpoint, json=signed(iccid))
            answer.raise_for_status()
            check(answer.json())

        yield in_threads(one, target.concurrency)


@asynccontextmanager
async def stripe_layer(target: Target) -> AsyncIterator[AsyncCalls]:
    import stripe  # noqa: PLC0415

    if target.ca_file is not None:
        stripe.ca_bundle_path = target.ca_file
    stripe.enable_telemetry = False
    http = stripe.AIOHTTPClient()
    client = stripe.StripeClient(
        "sk_test_nothing",
        http_client=http,
        base_addresses={"api": target.url},
        max_network_retries=0,
    )

    async def one(iccid: str) -> None:
        # Only what stands under /v2 is sent as JSON.
        answer = await client.raw_request_async("post", f"/v2{PATH}", **signed(iccid))
        check(answer.data)

    yield in_flight(one, target.concurrency)
    await http.close_async()


@asynccontextmanager
async def openai_layer(target: Target) -> AsyncIterator[AsyncCalls]:
    import openai  # noqa: PLC0415

    http = openai.DefaultAsyncHttpxClient(verify=target.tls() or True)
    async with openai.AsyncOpenAI(
        api_key="nothing", base_url=target.url, max_retries=0, http_client=http
    ) as client:

        async def one(iccid: str) -> None:
            answer: Any = await client.post(PATH, body=signed(iccid), cast_to=object)
            check(answer)

        yield in_flight(one, target.concurrency)


@asynccontextmanager
async def elastic_layer(target: Target) -> AsyncIterator[AsyncCalls]:
    from urllib.parse import urlsplit  # noqa: PLC0415

    from elastic_transport import AsyncTransport, NodeConfig  # noqa: PLC0415

    url = urlsplit(target.url)
    node = NodeConfig(
        url.scheme,
        url.hostname or "",
        url.port or 0,
        connections_per_node=target.concurrency,
        ca_certs=target.ca_file,
    )
    transport = AsyncTransport([node], max_retries=0)
    headers = {"Content-Type": "application/json"}

    async def one(iccid: str) -> None:
        answer = await transport.perform_request("POST", PATH, body=signed(iccid), headers=headers)
        check(answer.body)

    yield in_flight(one, target.concurrency)
    await transport.close()


_AIOHTTP = "`async with session.post(url, json=signed) as answer: await answer.json()`"
BASELINE = "aiohttp asyncio"
PEERS = (
    Contender(
        name=BASELINE,
        title="aiohttp by hand",
        how=_AIOHTTP,
        open=on_asyncio(idiomatic_aiohttp),
    ),
    Contender(
        name="aiohttp uvloop",
        title="aiohttp by hand, uvloop",
        how=_AIOHTTP,
        open=on_uvloop(idiomatic_aiohttp),
        needs=("uvloop",),
    ),
    Contender(
        name="elastic",
        title="elastic-transport",
        how='`AsyncTransport(max_retries=0).perform_request("POST", path, body=signed)`',
        open=on_asyncio(elastic_layer),
        needs=("elastic_transport",),
    ),
    Contender(
        name="stripe",
        title="stripe",
        how='`StripeClient(http_client=AIOHTTPClient()).raw_request_async("post", "/v2/…")`',
        open=on_asyncio(stripe_layer),
        needs=("stripe",),
    ),
    Contender(
        name="openai",
        title="openai",
        how="`AsyncOpenAI(max_retries=0).post(path, body=signed, cast_to=object)`, default client",
        open=on_asyncio(openai_layer),
        needs=("openai",),
    ),
    Contender(
        name="httpx",
        title="httpx",
        how="`await AsyncClient.post(url, json=signed)`, `answer.json()`",
        open=on_asyncio(async_httpx),
        needs=("httpx",),
    ),
    Contender(
        name="requests",
        title="requests, 64 threads",
        how="`Session.post(url, json=signed)` in 64 threads, one session with a pool of 64",
        open=threaded_requests,
        needs=("requests",),
    ),
)
