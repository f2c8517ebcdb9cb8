"""The group operations: changes are accepted at once and carried out in the background."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
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
)
from .answers import Data, Refusal, told
from .behaviour import GroupBehaviour, IdShape
from .ids import dice
from .jobs import carry_out, told_results, told_state
from .records import Group, Job, JobState, NeedlessChange
from .world import World

_DONE: frozenset[JobState] = frozenset(("success", "partial", "failed"))


class GroupDesk:
    """Plays the group service; apart from the paths all of it is assumed or invented."""

    def __init__(self, world: World, *, job_delay: float) -> None:
        self._world = world
        self._delay = timedelta(seconds=job_delay)
        world.clock.on("job", lambda request_id, _: carry_out(world, world.jobs[request_id]))

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
        self._check_size(len(call.iccids))
        behaviour = self._world.group_behaviour.taken()
        before = next(reversed(self._world.jobs), None)
        job = self._new_job(call, group, behaviour, adding=adding)
        self._judge(job)
        return self._told_id(behaviour.request_id, job.request_id, before or job.request_id)

    def _check_size(self, count: int) -> None:
        behaviour = self._world.group_behaviour
        if behaviour.max_cards is None or count <= behaviour.max_cards:
            return
        page = behaviour.too_many == "413 page"
        raise Refusal(
            f"at most {behaviour.max_cards} sim_ids may be given in one request, not {count}",
            status=None if behaviour.too_many == "refused" else 413,
            outcome=f"refused: {count} cards are too many",
            page="<html><h1>413 Request Entity Too Large</h1></html>" if page else None,
        )

    def _new_job(
        self,
        call: AddSims | RemoveSims,
        group: Group,
        behaviour: GroupBehaviour,
        *,
        adding: bool,
    ) -> Job:
        world, now = self._world, self._world.clock.now()
        number = world.ids.number("job")
        delay = self._delay if behaviour.delay is None else timedelta(seconds=behaviour.delay)
        if behaviour.delay_spread:
            chance = dice(world.seed, f"delay of job {number}")
            delay += timedelta(seconds=chance.uniform(0, behaviour.delay_spread))
        as_number = behaviour.request_id == "number"
        job = Job(
            request_id=str(10_000_000_000 + number) if as_number else f"REQ{number:010d}",
            number=number,
            group=group,
            adding=adding,
            iccids=tuple(call.iccids),
            accepted=now,
            due=now + delay,
            behaviour=behaviour,
        )
        world.jobs[job.request_id] = job
        if not behaviour.never_ends:
            world.clock.plan(job.due, "job", job.request_id)
        return job

    def _judge(self, job: Job) -> None:
        """Note the cards whose change is needless, as the group stands at the receipt."""
        for iccid in job.iccids:
            if job.group.will_hold(iccid) is job.adding:
                self._world.note_needless(
                    NeedlessChange(
                        job.accepted, job.group.group_id, iccid, job.adding, job.request_id
                    )
                )
            job.group.announce(iccid, adding=job.adding)

    def _told_id(self, shape: IdShape, request_id: str, before: str) -> Data:
        told_ids: dict[IdShape, object] = {
            "normal": request_id,
            "missing": None,
            "empty": "",
            "number": int(request_id) if request_id.isdigit() else request_id,
            "repeated": before,
        }
        return told(Accepted, request_id=told_ids[shape])

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
        now, behaviour = self._world.clock.now(), job.behaviour
        job.polls += 1
        early = now < job.accepted + timedelta(seconds=behaviour.result_delay)
        gone = behaviour.vanishes_after is not None and job.polls > behaviour.vanishes_after
        if early or gone:
            raise Refusal(
                "request_id is unknown", status=404 if behaviour.unknown_as == "404" else None
            )
        state = told_state(job, now)
        results = told_results(self._world, job) if state in _DONE else []
        return told(
            AsyncResult,
            request_id=job.request_id,
            status=behaviour.words.get(state, state),
            results=results,
        )

    def _group(self, group_id: str, partner: str) -> Group:
        group = self._world.groups.get(group_id)
        if group is None or group.partner_code != partner:
            raise Refusal("group_id is unknown")
        return group
