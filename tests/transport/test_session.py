"""SessionTransport, and those edges of it that no server can produce."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import trustme
from aioresponses import aioresponses
from servers import RawServer
from transport_behaviour import LIMITS, TransportBehaviour, request_to

from linksfield_async import Options
from linksfield_async.errors import ConnectFailed, DeadlineExceeded, OutcomeUnknown
from linksfield_async.transport.session import SessionTransport


class TestSessionTransport(TransportBehaviour):
    @pytest.fixture
    async def transport(self) -> AsyncIterator[SessionTransport]:
        transport = SessionTransport()
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_of_one(self) -> AsyncIterator[SessionTransport]:
        transport = SessionTransport(Options(connections=1))
        yield transport
        await transport.close()

    @pytest.fixture
    async def transport_trusting(
        self, tmp_path: Path
    ) -> AsyncIterator[tuple[SessionTransport, trustme.CA]]:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        transport = SessionTransport(Options(ca_file=str(tmp_path / "ca.pem")))
        yield transport, ca
        await transport.close()


# The edges that no server can produce at will. aioresponses answers inside the session, so the
# head is never reported as written: what it shows is the wording, proof is for the tests above.


class Answer(aiohttp.ClientResponse):
    """aioresponses 0.7.9 lacks an argument that aiohttp 3.14 asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ClientConnectionError("x"), ConnectFailed),
        (aiohttp.ConnectionTimeoutError("x"), ConnectFailed),
        (TimeoutError(), DeadlineExceeded),
        (OSError(24, "Too many open files"), ConnectFailed),
    ],
)
async def test_an_error_before_the_head_is_not_sent(
    error: Exception, expected: type[Exception]
) -> None:
    transport = SessionTransport()
    with aioresponses() as mocked:
        mocked.post("http://127.0.0.1:1/vshop/x?q=/", exception=error)
        with pytest.raises(expected) as caught:
            await transport.send(request_to("http://127.0.0.1:1"), LIMITS)
    assert type(error).__name__ in str(caught.value.__cause__)
    await transport.close()


async def test_headers_and_options_reach_aiohttp() -> None:
    transport = SessionTransport()
    with aioresponses() as mocked:
        mocked.post("http://127.0.0.1:1/vshop/x?q=/", payload={"a": 1}, response_class=Answer)
        response = await transport.send(request_to("http://127.0.0.1:1"), LIMITS)
        ((call,),) = mocked.requests.values()
    assert response.status == 200
    assert call.kwargs["allow_redirects"] is False
    assert call.kwargs["timeout"].sock_connect == LIMITS.connect
    assert call.kwargs["timeout"].sock_read == LIMITS.read
    await transport.close()


async def test_what_aiohttp_calls_status_400_is_unknown(server: RawServer) -> None:
    """A malformed answer is reported by aiohttp as a response error with status 400."""
    server.answers_bytes(b"HTTP/1.1 BAD\r\n\r\n")
    transport = SessionTransport()
    with pytest.raises(OutcomeUnknown, match="not HTTP") as caught:
        await transport.send(request_to(server.url), LIMITS)
    assert "400" in str(caught.value.__cause__)
    assert caught.value.status is None
    await transport.close()
