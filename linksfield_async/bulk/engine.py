"""Sends many operations with a bounded crew of workers over a bounded window; no task per item."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import attrs

from ..codec import codec_for
from ..errors import BulkStopped, ConfigurationError
from ..operation import Operation
from ..operations import CardVerification, SingleVerify
from .crew import Crew
from .files.numeric import refuse_numeric_column
from .handover import Ready
from .intake import Prepare, cards, operations
from .journal.hiding import Hiding
from .outcome import Outcome
from .progress import Meter, Progress
from .service import About, Service
from .settings import BulkSettings, Settings

if TYPE_CHECKING:
    from .journal.ledger import Ledger

T = TypeVar("T")


def verify_many(
    service: Service,
    iccids: Iterable[Any] | AsyncIterable[Any],
    given: BulkSettings,
    url: str | None = None,
) -> Outcomes[CardVerification]:
    """Verify cards as they come; what is no ICCID is reported as invalid_input and never sent."""
    settings = Settings.of(given)
    refuse_numeric_column(iccids)
    about = About("verify_many", SingleVerify.__name__, {"url": url})
    return Outcomes(service, iccids, cards(url), settings, about)


def send_many(
    service: Service,
    many: Iterable[Operation[T]] | AsyncIterable[Operation[T]],
    given: BulkSettings,
) -> Outcomes[T]:
    """Send operations as they come."""
    settings = Settings.of(given)
    journal = settings.journal
    prepare: Prepare[T] = operations(
        Hiding(None if journal is None else journal.key),
        codec_for(service.account.wire_names).write,
        once=settings.duplicates == "once",
        journalled=journal is not None,
    )
    return Outcomes(service, many, prepare, settings, About("send_many", "any", {}))


def _ignore(_: Ready) -> None:
    """Do nothing: the run is over, or did not begin."""


async def _to_its_end(closing: Coroutine[Any, Any, None]) -> None:
    """Close whatever happens: a second cancellation must not leave a journal locked."""
    task = asyncio.ensure_future(closing)
    canceled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            canceled = error
    task.result()
    if canceled is not None:
        raise canceled


class Outcomes(Generic[T]):
    """What becomes of many items: iterate over it, and close it where you leave early.

    Leaving cancels what is under way; `stop()` lets it be answered first.
    """

    def __init__(
        self,
        service: Service,
        source: Iterable[Any] | AsyncIterable[Any],
        prepare: Prepare[T],
        settings: Settings,
        about: About,
    ) -> None:
        if isinstance(source, (str, bytes)):
            raise ConfigurationError("an iterable of items is needed, not one text")
        self._service, self._source, self._prepare = service, source, prepare
        if settings.total is None and isinstance(source, Sized):
            settings = attrs.evolve(settings, total=len(source))
        self._settings, self._about = settings, about
        self._crew: Crew[T] | None = None
        self._ready: deque[Ready] = deque()
        """What is there to be taken; of the crew, as long as it serves."""
        self._acknowledge: Callable[[Ready], None] = _ignore
        self._given: Ready | None = None
        """What the caller has and did not come back from."""
        self._lent: deque[Ready] = deque()
        """The same of what is given several at once."""
        self._stopped_early = False
        self._steps = self._run()

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        if self._crew is not None:
            return self._crew.progress()
        return Meter().progress(
            taken=0, total=self._settings.total, in_flight=0, concurrency=0, rate=None
        )

    @property
    def is_complete(self) -> bool:
        """Whether every item of the source has an outcome; False after a stop."""
        return self._crew is not None and self._crew.is_complete

    def stop(self, within: float | None = None) -> None:
        """Take nothing more; what is under way is still answered and yielded.

        With `within` (seconds) it is cut off after that time: a read is then not decided, what
        must not be carried out twice is unknown. Iterate to the end to get what there is.
        """
        if self._crew is None:
            self._stopped_early = True
        else:
            self._crew.stop(within)

    async def aclose(self) -> None:
        """Cancel what is under way, and close the source and the journal."""
        await self._steps.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[T]:
        given = self._given
        if given is not None:
            self._given = None
            self._acknowledge(given)
        while not self._ready:
            await anext(self._steps)
        self._given = ready = self._ready.popleft()
        return ready[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self) -> AsyncGenerator[None, None]:
        """Yield where outcomes are there to be taken."""
        if self._stopped_early:
            return
        self._crew = crew = await self._made()
        how = "left"
        try:
            self._begin(crew)
            self._ready, self._acknowledge = crew.ready, crew.acknowledge
            while await crew.wait():
                yield
            how = crew.ended
        finally:
            self._ready, self._acknowledge = deque(), _ignore
            await _to_its_end(crew.dismiss(how))
        if isinstance(crew.broken, asyncio.CancelledError):
            raise RuntimeError("a source or a transport canceled a worker") from crew.broken
        if crew.broken is not None:
            raise crew.broken
        if crew.stopped_because is not None and not crew.is_complete:
            raise BulkStopped(self._stopped(crew.stopped_because))
        if not (crew.is_stopping or crew.is_complete):
            raise RuntimeError("the run ended before its source did")

    async def some(self) -> list[Outcome[T]]:
        """Wait for an outcome, and give with it others that are there; then say which were `took`.

        Instead of iterating, for who comes from afar. Never so many that the sending would stop.
        """
        while not self._ready:
            await anext(self._steps)
        most = 1 if self._crew is None else self._crew.at_once
        given = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._lent.extend(given)
        return [ready[0] for ready in given]

    def took(self, count: int) -> None:
        """Tell that so many of those that were given by `some` are the caller's own now."""
        for _ in range(count):
            self._acknowledge(self._lent.popleft())

    def _begin(self, crew: Crew[T]) -> None:
        if self._stopped_early:
            crew.stop()  # it was told so while the journal was being opened
        crew.begin()

    async def _made(self) -> Crew[T]:
        ledger = await self._ledger()
        try:
            return Crew(self._service, self._source, self._prepare, self._settings, ledger)
        except BaseException:
            if ledger is not None:
                await ledger.close("failed")
            raise

    def _stopped(self, reason: str) -> str:
        journal = self._settings.journal
        how = "" if journal is None else "; with the same journal it goes on from here"
        return f"stopped: {reason}; what is decided stands, the rest was not sent{how}"

    async def _ledger(self) -> Ledger | None:
        journal = self._settings.journal
        if journal is None:
            return None
        from .journal.identity import identity_of  # noqa: PLC0415
        from .journal.ledger import Ledger  # noqa: PLC0415 - SQLite is not everybody's

        about = self._about
        about = attrs.evolve(
            about, options={**about.options, "duplicates": self._settings.duplicates}
        )
        identity = await identity_of(about, self._service.account, self._source, journal.key)
        return await Ledger.open(journal, identity)
