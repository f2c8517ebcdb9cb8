"""`client.groups`, awaited: the named methods, and the changes that are waited for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from ..named import AsyncNamespace, GroupMethods
from ..pipeline import Pipeline

if TYPE_CHECKING:
    from .changes import Changes
    from .job import GroupJob
    from .journal import Path as JournalPath
    from .report import Change, GroupReport, SyncReport
    from .room import Room
    from .settings import GroupSettings


class AsyncGroups(GroupMethods, AsyncNamespace):
    """`client.groups`, awaited."""

    def __init__(self, pipeline: Pipeline, share: RoomShare) -> None:
        super().__init__(pipeline)
        self._pipeline, self._share = pipeline, share
        self._made: Changes | None = None

    async def add_sims(
        self,
        *,
        group_id: str,
        iccids: Iterable[Any],
        journal: JournalPath | None = None,
        **settings: Unpack[GroupSettings],
    ) -> GroupJob:
        """Ask for any number of SIMs to be added to a group, in as many requests as needed.

        Back once each request is accepted, refused or in doubt; the job tells what came of it.
        Raises the refusal where nothing at all was accepted. With a `journal` the same call goes
        on after a crash, and sends nothing twice.
        """
        return await self._begin("add", group_id, iccids, journal, settings)

    async def remove_sims(
        self,
        *,
        group_id: str,
        iccids: Iterable[Any],
        journal: JournalPath | None = None,
        **settings: Unpack[GroupSettings],
    ) -> GroupJob:
        """Ask for any number of SIMs to be removed from a group; the same as `add_sims` else."""
        return await self._begin("remove", group_id, iccids, journal, settings)

    async def resume(
        self,
        token: str,
        *,
        iccids: Iterable[Any] | None = None,
        **settings: Unpack[GroupSettings],
    ) -> GroupJob:
        """Go on with a job from its `token`.

        Without the ICCIDs, where they were many, only their number is checked.
        """
        from .settings import Settings  # noqa: PLC0415

        return self._changes().resume(token, iccids, Settings.of(settings))

    async def sync(
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
        from .settings import Settings  # noqa: PLC0415
        from .sync import Sync  # noqa: PLC0415

        sync = Sync(self._changes(), Settings.of(settings), group_id=group_id, iccids=iccids)
        return await sync.run(dry_run=dry_run, journal=journal, allow_empty=allow_empty)

    async def repeat(
        self, report: GroupReport, **settings: Unpack[GroupSettings]
    ) -> GroupJob | None:
        """Send the cards of a report again that are not done, unless the group shows them so.

        None where nothing is left to be sent.
        """
        from .cards import plain  # noqa: PLC0415

        changes = self._changes()
        members = await changes.members(report.group_id)
        adding = report.change == "add"
        left = [card for card in report.failed if (plain(card) in members) is not adding]
        if not left:
            return None
        return await self._begin(report.change, report.group_id, left, None, settings)

    async def _begin(
        self,
        change: Change,
        group_id: str,
        iccids: Iterable[Any],
        journal: JournalPath | None,
        settings: GroupSettings,
    ) -> GroupJob:
        from .settings import Settings  # noqa: PLC0415

        changes, checked = self._changes(), Settings.of(settings)
        return await changes.begin(group_id, change, iccids, checked, journal)

    def _changes(self) -> Changes:
        # Imported here: not every program changes groups.
        from .changes import Changes  # noqa: PLC0415

        if self._made is None:
            pipeline = self._pipeline
            self._made = Changes(self._share.room(pipeline), pipeline.in_bulk, pipeline.in_bulk())
        return self._made


class RoomShare:
    """The one room of a client and its views; made where a group is changed for the first time."""

    def __init__(self) -> None:
        self._room: Room | None = None

    def room(self, pipeline: Pipeline) -> Room:
        """Give the room."""
        from .room import Room  # noqa: PLC0415

        if self._room is None:
            per_second = pipeline.options.group_polls
            self._room = Room(pipeline.shared.account, per_second, pipeline.shared.clock)
        return self._room

    async def close(self) -> None:
        """End what goes on."""
        if self._room is not None:
            await self._room.close()
