"""Sends the requests of a change, in sizes that the service bears, and nothing twice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice

from ..errors import (
    ConfigurationError,
    JournalError,
    LinksfieldError,
    NotSent,
    Refused,
    Throttled,
)
from ..operation import Operation
from ..operations import Accepted, AddSims, RemoveSims
from ..pipeline import Sender
from ..protocol import Request
from .chunks import ChunkSize, is_by_size
from .job import GroupJob
from .parts import Part, State
from .room import Desk, MakeSender
from .together import together

_TRIES = 5
"""For a request that certainly was not taken: throttled, or no connection."""
_FIRST_PAUSE = 0.5
_HOPELESS = 3
"""Requests refused one after the other, and none accepted, after which nothing more is sent."""


class Sending:
    """Sends what one job has to send."""

    def __init__(self, job: GroupJob, desk: Desk, make_sender: MakeSender, size: ChunkSize) -> None:
        self._job, self._desk = job, desk
        self._make_sender, self._size = make_sender, size
        self._left: deque[str] = deque()
        self._accepted = self._refused = 0
        self._leaving: set[Part] = set()
        """Requests that have left, perhaps, and have no answer yet."""
        self._first_refusal: LinksfieldError | None = None

    async def send(self, cards: Iterable[str], *, tolerant: bool = False) -> None:
        """Send all of them; unless `tolerant` it raises the refusal where nothing was accepted."""
        job = self._job
        self._left.extend(cards)
        job.sending = True
        try:
            # One at a time until something is accepted: not all at once into the same refusal.
            while self._left and not self._accepted and not self._is_hopeless():
                await self._next()
            if self._left and not self._is_hopeless():
                await self._send_together(job.settings.concurrency)
        finally:
            job.sending = False
            job.stir()
        if self._first_refusal is None or self._accepted:
            return
        if not tolerant:
            raise self._first_refusal
        if self._left:
            rest = Part(job, tuple(self._left), len(self._left), State.NOT_SENT)
            rest.note = f"not sent, the first {_HOPELESS} requests were all refused"
            job.parts.append(rest)

    def _is_hopeless(self) -> bool:
        return not self._accepted and self._refused >= _HOPELESS

    async def _send_together(self, concurrency: int) -> None:
        async def worker() -> None:
            while self._left:
                await self._next()

        await together(*(worker() for _ in range(concurrency)))

    async def _next(self) -> None:
        """Send the next request, or put its cards back where there were too many."""
        job = self._job
        cards = tuple(islice(self._left, self._size.of(job.settings.chunk_size)))
        for _ in cards:
            self._left.popleft()
        part = Part(job, cards, len(cards), State.DOUBT)
        if job.journal is not None:
            part.number = job.journal.next_number()
        try:
            accepted = await self._sent(part)
        except Refused as error:
            await self._put_aside(part, error)
        except NotSent as error:
            await self._forget(part)
            self._end(part, State.NOT_SENT, str(error), error)
            self._refused = max(self._refused, _HOPELESS)  # where nothing is accepted yet
        except ConfigurationError:
            await self._forget(part)
            raise
        except JournalError:
            raise
        except LinksfieldError as error:
            # Perhaps it was accepted: the job asks the group, and nothing is sent again.
            self._in_doubt(part, str(error))
        else:
            await self._keep(part, accepted.request_id.strip())

    async def _sent(self, part: Part) -> Accepted:
        """Send one request; again only where it certainly was not taken."""
        job, pause = self._job, _FIRST_PAUSE
        for tries_left in reversed(range(_TRIES)):
            try:
                return await self._sender_for(part).send(self._operation(part.cards))
            except asyncio.CancelledError:
                if part in self._leaving:
                    self._in_doubt(part, "it was canceled before the answer came")
                raise
            except (Throttled, NotSent) as error:
                unreachable = isinstance(error, NotSent) and not self._accepted
                if error.carried_out is not False or not tries_left or unreachable:
                    raise
                await self._forget(part)
                self._leaving.discard(part)
                await job.clock.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable")

    def _sender_for(self, part: Part) -> Sender:
        async def intend(_: Request) -> None:
            journal = self._job.journal
            if journal is not None:
                await journal.intend(part.number, self._job.change, part.cards)
            self._leaving.add(part)

        return self._make_sender(intend)

    def _operation(self, cards: tuple[str, ...]) -> Operation[Accepted]:
        made = AddSims if self._job.adding else RemoveSims
        return made(group_id=self._job.group_id, iccids=cards)

    async def _put_aside(self, part: Part, error: Refused) -> None:
        if error.carried_out is not False:
            self._in_doubt(part, str(error))
        elif is_by_size(error, part.count):
            self._size.refuse(part.count)
            self._left.extendleft(reversed(part.cards))
            await self._forget(part)
        elif isinstance(error, Throttled):
            await self._forget(part)
            self._end(part, State.NOT_SENT, str(error), error)
        else:
            self._end(part, State.REFUSED, str(error), error)

    async def _forget(self, part: Part) -> None:
        if self._job.journal is not None:
            await self._job.journal.forget(part.number)

    def _in_doubt(self, part: Part, why: str) -> None:
        self._accepted += 1  # for all that is known
        part.state, part.note = State.DOUBT, why
        self._job.parts.append(part)

    def _end(self, part: Part, state: State, why: str, error: LinksfieldError) -> None:
        self._refused += 1
        self._first_refusal = self._first_refusal or error
        part.state, part.note = state, why
        self._job.parts.append(part)

    async def _keep(self, part: Part, request_id: str) -> None:
        """Keep the id before it is trusted; one that cannot be told apart tells nothing."""
        if not request_id:
            self._in_doubt(part, "accepted without a request id")
            return
        if self._desk.poller.knows(request_id) or request_id in self._job.request_ids:
            self._in_doubt(part, "accepted under the request id of another request")
            return
        self._accepted += 1
        part.request_id = request_id
        try:
            if self._job.journal is not None:
                await self._job.journal.accepted(part.number, request_id)
        finally:
            self._job.parts.append(part)
            self._job.opened(part)
            self._job.stir()
