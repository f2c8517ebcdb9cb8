"""`client.groups` for callers that block: jobs are waited for, and iterated over, in their thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar, Unpack

from ..groups.job import GroupJob
from ..groups.journal import Path as JournalPath
from ..groups.namespace import AsyncGroups
from ..groups.report import CardChange, GroupReport, SyncReport
from ..groups.settings import GroupSettings
from ..groups.status import JobStatus
from ..named import BlockingNamespace, BlockingSender, GroupMethods
from .thread import LoopThread

T = TypeVar("T")


class BlockingGroupJob:
    """A change of a group that runs in the background: `wait()` for it, or iterate over it."""

    def __init__(self, thread: LoopThread, job: GroupJob) -> None:
        self._thread, self._job = thread, job

    @property
    def token(self) -> str:
        """A small text with which `groups.resume` goes on, also in another process."""
        return self._job.token

    @property
    def group_id(self) -> str:
        """The group that is changed."""
        return self._job.group_id

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of the requests that were accepted."""
        return self._job.request_ids

    def status(self) -> JobStatus:
        """Tell how far it is, without asking."""
        return self._job.status()

    def wait(self, timeout: float | None = None) -> GroupReport:
        """Wait for the end, and tell what became of each card; see `GroupJob.wait`."""
        return self._thread.call(self._job.wait, timeout)

    def __iter__(self) -> Iterator[CardChange]:
        changes = aiter(self._job)
        while True:
            try:
                yield self._thread.call(_next, changes)
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._job)[1:]}"


async def _next(changes: AsyncIterator[CardChange]) -> CardChange:
    return await anext(changes)


class BlockingGroups(GroupMethods, BlockingNamespace):
    """`client.groups`, blocking."""

    def __init__(
        self, sender: BlockingSender, groups: AsyncGroups, ready: Callable[[str], LoopThread]
    ) -> None:
        super().__init__(sender)
        self._groups, self._ready = groups, ready

    def add_sims(
        self,
        *,
        group_id: str,
        iccids: Iterable[Any],
        journal: JournalPath | None = None,
        **settings: Unpack[GroupSettings],
    ) -> BlockingGroupJob:
        """Ask for any number of SIMs to be added to a group, in as many requests as needed.

        Back once each request is accepted, refused or in doubt; the job tells what came of it.
        Raises the refusal where nothing at all was accepted. With a `journal` the same call goes
        on after a crash, and sends nothing twice.
        """
        groups, cards = self._groups, _read(iccids)
        return self._job(
            "add_sims",
            lambda: groups.add_sims(group_id=group_id, iccids=cards, journal=journal, **settings),
        )

    def remove_sims(
        self,
        *,
        group_id: str,
        iccids: Iterable[Any],
        journal: JournalPath | None = None,
        **settings: Unpack[GroupSettings],
    ) -> BlockingGroupJob:
        """Ask for any number of SIMs to be removed from a group; the same as `add_sims` else."""
        groups, cards = self._groups, _read(iccids)
        return self._job(
            "remove_sims",
            lambda: groups.remove_sims(
                group_id=group_id, iccids=cards, journal=journal, **settings
            ),
        )

    def resume(
        self,
        token: str,
        *,
        iccids: Iterable[Any] | None = None,
        **settings: Unpack[GroupSettings],
    ) -> BlockingGroupJob:
        """Go on with a job from its `token`.

        Without the ICCIDs, where they were many, only their number is checked.
        """
        groups, cards = self._groups, None if iccids is None else _read(iccids)
        return self._job("resume", lambda: groups.resume(token, iccids=cards, **settings))

    def sync(
        self,
        *,
        group_id: str,
        iccids: Iterable[Any],
        dry_run: bool = False,
        journal: JournalPath | None = None,
        allow_empty: bool = False,
        **settings: Unpack[GroupSettings],
    ) -> SyncReport:
        """Bring a group to these cards and no others; a dry run only tells the differences.

        Running it again is harmless. With a `journal` it goes on after a crash, and nothing is
        added or removed needlessly. An empty list needs `allow_empty`.
        """
        groups, cards = self._groups, _read(iccids)
        return self._call(
            "sync",
            lambda: groups.sync(
                group_id=group_id,
                iccids=cards,
                dry_run=dry_run,
                journal=journal,
                allow_empty=allow_empty,
                **settings,
            ),
        )[0]

    def repeat(
        self, report: GroupReport, **settings: Unpack[GroupSettings]
    ) -> BlockingGroupJob | None:
        """Send the cards of a report again that are not done, unless the group shows them so.

        None where nothing is left to be sent.
        """
        groups = self._groups
        job, thread = self._call("repeat", lambda: groups.repeat(report, **settings))
        return None if job is None else BlockingGroupJob(thread, job)

    def _job(self, method: str, work: Callable[[], Awaitable[GroupJob]]) -> BlockingGroupJob:
        job, thread = self._call(method, work)
        return BlockingGroupJob(thread, job)

    def _call(self, method: str, work: Callable[[], Awaitable[T]]) -> tuple[T, LoopThread]:
        thread = self._ready(f"groups.{method}")
        return thread.call(lambda _: work(), None), thread


def _read(iccids: Iterable[Any]) -> Any:
    """Read a source in the caller's thread, to which a cursor of a database belongs."""
    is_one = isinstance(iccids, (str, bytes)) or not isinstance(iccids, Iterable)
    return iccids if is_one or isinstance(iccids, (list, tuple)) else list(iccids)
