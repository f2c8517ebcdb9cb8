"""Whether the installed aiohttp is built the way the direct transport takes it to be.

That transport leans on names of aiohttp's that are not documented. They are looked at here, and
one answer is read through them without a network: a version that is built otherwise is found
before anything is sent, and the client then uses `SessionTransport`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp

from ..masking import one_line


@functools.cache
def unfit_reason() -> str | None:
    """Say in one line why the direct transport cannot be used here; None where it can."""
    try:
        # Imported here, because an import may be what fails.
        wires: Any = importlib.import_module(".wires", __package__)
        found = [*_missing(wires)] or [*_misread(wires)]
    except Exception as error:
        # Whatever an unknown version raises, it means that it is unfit, and is told as such.
        found = [f"{type(error).__name__}: {error}"]
    if not found:
        return None
    return one_line(f"aiohttp {aiohttp.__version__} is built otherwise: {'; '.join(found)}")


def _missing(wires: Any) -> Iterator[str]:
    """Name what is not there: parameters, coroutines, attributes."""
    connector, wire = wires.WireConnector, wires.Wire
    parameters = {
        aiohttp.TCPConnector: {"limit", "ssl", "force_close"},
        aiohttp.TCPConnector.connect: {"req", "traces", "timeout"},
        aiohttp.ClientTimeout: {"total", "sock_connect"},
        aiohttp.ClientRequest: {"method", "url", "loop"},
        wire.set_response_params: {"skip_payload", "read_until_eof"},
    }
    for function, names in parameters.items():
        for name in sorted(names - inspect.signature(function).parameters.keys()):
            yield f"{function.__qualname__} has no {name}"
    for function in (connector.connect, connector.close, wire.read):
        if not inspect.iscoroutinefunction(function):
            yield f"{function.__qualname__} is no coroutine"
    attributes: dict[Any, set[str]] = {
        wires.Connection: {"protocol", "release", "close"},
        wire: {"should_close", "is_connected", "force_close", "connection_made"},
        aiohttp.ClientRequest: {"connection_key"},
        aiohttp.StreamReader: {"is_eof", "readany"},
    }
    for kind, names in attributes.items():
        for name in sorted(names):
            if not hasattr(kind, name):
                yield f"{kind.__name__} has no {name}"
    # Connections are made by what stands there; a connector needs a loop to be looked at itself.
    makers = (aiohttp.BaseConnector.__init__, connector._create_direct_connection)  # noqa: SLF001
    for maker in makers:
        if "_factory" not in maker.__code__.co_names:
            yield f"{maker.__qualname__} has no _factory"


class _Plug:
    """A socket transport that is connected to nothing."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, content: bytes) -> None:
        self.written += content

    def get_extra_info(self, _: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None:
        """Nothing was paused."""


_ANSWER = b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"


def _misread(wires: Any) -> Iterator[str]:
    """Read an answer through a wire, as an exchange does, and name what came out wrong."""
    # Nothing waits here, so of the loop nothing but the time is used.
    loop = SimpleNamespace(time=lambda: 1.0, create_future=_waited)
    for more in (b"", b"HTTP", _ANSWER):
        wire, plug = wires.Wire(loop), _Plug()
        wire.connection_made(plug)
        wire.expect_answer(has_body=True)
        wire.active_at = 1.0
        wire.write(b"GET")
        wire.data_received(_ANSWER + more)
        message, content = _without_waiting(wire.read())
        read = (message.code, message.headers["x-a"], content.is_eof(), wire.whole(content))
        if plug.written != b"GET" or read != (200, "b", True, b"{}"):
            yield f"an answer is read as {read}"
        if (wire.is_reusable() and not wire.should_close) is bool(more):
            yield f"{len(more)} bytes after an answer are told wrongly"


def _without_waiting(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    coroutine.close()
    return _waited()


def _waited() -> Any:
    raise RuntimeError("an answer that is there is waited for")
