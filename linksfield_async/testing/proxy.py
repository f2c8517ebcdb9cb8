"""A TCP proxy on loopback that breaks the connections it carries, as networks do."""

from __future__ import annotations

import asyncio
import enum
import random
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigurationError
from .loopback import LoopbackServer, abort, ended

_PIECE = 1 << 16
_TICKS_PER_SECOND = 20
"""How often a limited direction sends; slower than this, it sends single bytes."""


class OnAccept(enum.Enum):
    """What happens to a new connection."""

    FORWARD = "forward"
    RESET = "reset"
    """RST at once; the server never hears of it."""
    HANG = "hang"
    """Accepted and read, but never forwarded."""


class Ending(enum.Enum):
    """How a cut looks from both ends."""

    FIN = "fin"
    RESET = "reset"
    HALF = "half"
    """FIN in the direction that was cut; the other one goes on."""


def _seconds(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value >= 0:
        raise ConfigurationError(f"Fault.{attribute.name} must not be negative")


def _above(least: float) -> Callable[[Any, attrs.Attribute[Any], float | None], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not value > least:
            raise ConfigurationError(f"Fault.{attribute.name} must be None or above {least:g}")

    return check


@attrs.frozen(kw_only=True)
class Fault:
    """What becomes of one connection; up is to the server, down is to the client."""

    on_accept: OnAccept = OnAccept.FORWARD
    latency_up: float = attrs.field(default=0.0, validator=_seconds)
    """Seconds that each piece is held back."""
    latency_down: float = attrs.field(default=0.0, validator=_seconds)
    rate_up: float | None = attrs.field(default=None, validator=_above(0))
    """Bytes per second: a bandwidth, or with a few bytes a slow drip."""
    rate_down: float | None = attrs.field(default=None, validator=_above(0))
    cut_up: int | None = attrs.field(default=None, validator=_above(-1))
    """Bytes that still pass; what comes after them ends the connection."""
    cut_down: int | None = attrs.field(default=None, validator=_above(-1))
    ending: Ending = Ending.FIN


HEALTHY = Fault()
RESET_ON_ACCEPT = Fault(on_accept=OnAccept.RESET)
HANG = Fault(on_accept=OnAccept.HANG)
DROP_ANSWER = Fault(cut_down=0)
"""The request reaches the server; its answer is swallowed and the connection closed."""

Chooser: TypeAlias = Callable[[int], Fault]
"""Gives the fault of a connection by its number, from 1."""


def by_chance(seed: int, *weighted: tuple[float, Fault]) -> Chooser:
    """Draw a fault for each connection; the rest to 1 of the probabilities stays healthy.

    The draw depends on the seed and the connection's number alone, so a run can be repeated.
    """
    if any(chance < 0 for chance, _ in weighted) or sum(chance for chance, _ in weighted) > 1:
        raise ConfigurationError("the probabilities must not be negative nor exceed 1 together")

    def choose(number: int) -> Fault:
        left = random.Random(f"{seed}:{number}").random()  # noqa: S311 - repeatable is meant
        for chance, fault in weighted:
            left -= chance
            if left < 0:
                return fault
        return HEALTHY

    return choose


class _Cut(Exception):
    """Ends both directions of a connection."""


_Side: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@attrs.define(kw_only=True)
class _Way:
    """One direction of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    latency: float
    rate: float | None
    left: int | None
    """Bytes until the cut, None for no cut."""
    count: Callable[[int], None]


class FaultProxy(LoopbackServer):
    """Carries connections to `host:port`, each with the fault that is set for it.

    async with FaultProxy("127.0.0.1", port) as proxy:
        proxy.next(DROP_ANSWER)                    # the next connection; several queue up
        proxy.always(Fault(latency_down=0.1))      # all others
        proxy.choose(by_chance(1, (0.1, HANG)))    # or drawn for each
        proxy.black_hole = True                    # the network is gone, until set to False
    """

    def __init__(self, host: str, port: int, *, scheme: str = "http") -> None:
        super().__init__(scheme=scheme)
        self.bytes_up = 0
        """Carried to the server."""
        self.bytes_down = 0
        """Carried to clients."""
        self.faults: list[Fault] = []
        """What each connection got, in order."""
        self._target = (host, port)
        self._next: deque[Fault] = deque()
        self._choose: Chooser = lambda _: HEALTHY
        self._flowing = asyncio.Event()
        self._flowing.set()

    def next(self, *faults: Fault) -> None:
        """Set the faults of the next connections, one each, before what holds for all."""
        self._next.extend(faults)

    def always(self, fault: Fault) -> None:
        """Set the fault of all connections from now on; `HEALTHY` takes it back."""
        self._choose = lambda _: fault

    def choose(self, chooser: Chooser) -> None:
        """Let a function set the fault of each connection from now on; see `by_chance`."""
        self._choose = chooser

    @property
    def black_hole(self) -> bool:
        """Whether the network is cut: nothing passes, nothing is closed, nothing is lost."""
        return not self._flowing.is_set()

    @black_hole.setter
    def black_hole(self, cut: bool) -> None:
        if cut:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def _serve(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault = self._next.popleft() if self._next else self._choose(number)
        self.faults.append(fault)
        if fault.on_accept is OnAccept.RESET:
            abort(writer)
            return
        if fault.on_accept is OnAccept.HANG:
            while await reader.read(_PIECE):
                pass
            return
        await self._flowing.wait()
        try:
            server = await asyncio.open_connection(*self._target, limit=self.read_limit)
        except OSError:
            abort(writer)
            return
        try:
            await self._join(fault, (reader, writer), server)
            writer.close()
            await ended(server[1])
        finally:
            server[1].transport.abort()  # where cancelled; otherwise it is closed already

    async def _join(self, fault: Fault, client: _Side, server: _Side) -> None:
        """Carry both directions until both have ended or one takes the other with it."""
        up = _Way(
            reader=client[0],
            writer=server[1],
            latency=fault.latency_up,
            rate=fault.rate_up,
            left=fault.cut_up,
            count=self._count_up,
        )
        down = _Way(
            reader=server[0],
            writer=client[1],
            latency=fault.latency_down,
            rate=fault.rate_down,
            left=fault.cut_down,
            count=self._count_down,
        )
        broken = False
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(up, fault.ending))
                both.create_task(self._pump(down, fault.ending))
        except* _Cut:
            broken = fault.ending is Ending.RESET
        except* OSError:
            broken = True  # one side broke off: the other one is told in the same way
        # Not even an end gets through a network that is cut.
        await self._flowing.wait()
        if broken:
            abort(up.writer)
            abort(down.writer)

    async def _pump(self, way: _Way, ending: Ending) -> None:
        """Carry one direction to its end; _Cut where the other one must end with it."""
        while piece := await self._piece(way):
            await asyncio.sleep(way.latency)
            await self._flowing.wait()
            passing = piece[: way.left]
            await self._write(way, passing)
            if len(passing) < len(piece):
                if ending is not Ending.HALF:
                    raise _Cut
                way.writer.write_eof()
                # What else comes is read, or its sender would be held up.
                while await way.reader.read(_PIECE):
                    pass
                return
            if way.left is not None:
                way.left -= len(piece)
        await self._flowing.wait()
        way.writer.write_eof()

    async def _piece(self, way: _Way) -> bytes:
        size = _PIECE if way.rate is None else max(1, int(way.rate / _TICKS_PER_SECOND))
        return await way.reader.read(min(size, _PIECE))

    async def _write(self, way: _Way, piece: bytes) -> None:
        if not piece:
            return
        way.count(len(piece))
        way.writer.write(piece)
        await way.writer.drain()
        if way.rate is not None:
            await asyncio.sleep(len(piece) / way.rate)

    def _count_up(self, size: int) -> None:
        self.bytes_up += size

    def _count_down(self, size: int) -> None:
        self.bytes_down += size
