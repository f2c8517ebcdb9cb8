"""The group operations: changes are accepted at once and carried out in the background."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..operation import Operation
from ..operations import (
    Accepted,
    AddSims,
    AsyncResult,
    Bundle,
    BundleGroup,
    GetAsyncResult,
    ListGroups,
    ListGroupSims,
    RemoveSims,
    SimResult,
)
from .answers import Data, Refusal, told
from .records import Group, Job, SimOutcome
from .world import World


class GroupDesk:
    """Plays the group service; apart from the paths all of it is assumed or invented."""

    def __init__(self, world: World, *, job_delay: float) -> None:
        self._world = world
        self._delay = timedelta(seconds=job_delay)

    def handlers(self) -> dict[type[Operation[Any]], Callable[[Any, str], Data]]:
        """Say which method carries out which operation."""
        return {
            AddSims: self.add,
            RemoveSims: self.remove,
            ListGroupSims: self.list_sims,
            ListGroups: self.list_groups,
            GetAsyncResult: self.get_result,
        }

    def add(self, call: AddSims, partner: str) -> Data:
        """Accept cards for a group after the basic checks."""
        return self._accept(call, partner, adding=True)

    def remove(self, call: RemoveSims, partner: str) -> Data:
        """Accept the removal of cards from a group after the basic checks."""
        return self._accept(call, partner, adding=False)

    def _accept(self, call: AddSims | RemoveSims, partner: str, *, adding: bool) -> Data:
        group = self._group(call.group_id, partner)
        if not call.iccids:
            raise Refusal("the list of cards is empty")
        now = self._world.clock.now()
        job = Job(
            request_id=f"REQ{self._world.ids.number('job'):010d}",
            group=group,
            adding=adding,
            iccids=tuple(call.iccids),
            accepted=now,
            due=now + self._delay,
        )
        self._world.jobs[job.request_id] = job
        self._world.clock.at(job.due, lambda _: self._carry_out(job))
        return told(Accepted, request_id=job.request_id)

    def _carry_out(self, job: Job) -> None:
        one = self._add_one if job.adding else self._remove_one
        job.outcomes = [SimOutcome(iccid, one(job.group, iccid)) for iccid in job.iccids]

    def _add_one(self, group: Group, iccid: str) -> str | None:
        problem = self._world.card_problem(iccid, group.partner_code)
        if problem is None and iccid in group.members:
            problem = "the card is in the group already"
        if problem is None:
            group.members[iccid] = None
        return problem

    def _remove_one(self, group: Group, iccid: str) -> str | None:
        if iccid not in group.members:
            return "the card is not in the group"
        del group.members[iccid]
        return None

    def list_sims(self, call: ListGroupSims, partner: str) -> Data:
        """List the cards of a group in the order they were added, all at once."""
        members = self._group(call.group_id, partner).members
        return {str(ListGroupSims.list_key): list(members)}

    def list_groups(self, call: ListGroups, partner: str) -> Data:
        """List the partner's groups with their plans."""
        groups = [
            told(
                BundleGroup,
                group_id=group.group_id,
                group_name=group.name,
                bundles=[
                    told(Bundle, bundle_id=plan.package_code, bundle_name=plan.name)
                    for plan in group.bundles
                ],
            )
            for group in self._world.groups.values()
            if group.partner_code == partner
        ]
        return {str(type(call).list_key): groups}

    def get_result(self, call: GetAsyncResult, partner: str) -> Data:
        """Tell how a job stands; what became of each card is told once it is done."""
        job = self._world.jobs.get(call.request_id)
        if job is None or job.group.partner_code != partner:
            raise Refusal("request_id is unknown")
        now: datetime = self._world.clock.now()
        results = [
            told(
                SimResult,
                iccid=outcome.iccid,
                status="success" if outcome.problem is None else "failed",
                message=outcome.problem,
            )
            for outcome in job.outcomes or ()
        ]
        return told(AsyncResult, request_id=job.request_id, status=job.state(now), results=results)

    def _group(self, group_id: str, partner: str) -> Group:
        group = self._world.groups.get(group_id)
        if group is None or group.partner_code != partner:
            raise Refusal("group_id is unknown")
        return group
