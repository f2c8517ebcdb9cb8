"""What becomes of a group job: it is carried out when it is due, and told as it was settled."""

from __future__ import annotations

from datetime import datetime

from ..operations import SimResult
from .answers import told
from .ids import dice
from .records import Group, Job, JobState, SimOutcome
from .world import World

_REFUSED = "the network refused the change"


def carry_out(world: World, job: Job) -> None:
    """Change the members, once; a card that fails, or is in its state already, is told why."""
    if job.outcomes is not None:
        return
    behaviour = job.behaviour
    # Drawn for every card, in order: naming some in `failing` changes nothing for the others.
    chance = dice(world.seed, f"failures of job {job.number}") if behaviour.failure_share else None
    unchanged = frozenset(() if behaviour.missing_carried_out else left_out(world, job))
    outcomes = []
    for iccid in job.iccids:
        problem = behaviour.failing.get(iccid)
        if chance is not None and chance.random() < behaviour.failure_share:
            problem = problem or _REFUSED
        if problem is None and iccid not in unchanged:
            problem = _changed(world, job, iccid)
        job.group.settle(iccid)
        outcomes.append(SimOutcome(iccid, problem))
    job.outcomes = outcomes


def _changed(world: World, job: Job, iccid: str) -> str | None:
    """Change one card; give the problem where it cannot be done."""
    group = job.group
    return _add_one(world, group, iccid) if job.adding else _remove_one(group, iccid)


def _add_one(world: World, group: Group, iccid: str) -> str | None:
    problem = world.card_problem(iccid, group.partner_code)
    if problem is None and iccid in group.members:
        problem = "the card is in the group already"
    if problem is None:
        group.members[iccid] = None
    return problem


def _remove_one(group: Group, iccid: str) -> str | None:
    if iccid not in group.members:
        return "the card is not in the group"
    del group.members[iccid]
    return None


def left_out(world: World, job: Job) -> set[str]:
    """List the cards of a job of which its result says nothing."""
    behaviour = job.behaviour
    missing = set(behaviour.missing)
    if behaviour.missing_share:
        chance = dice(world.seed, f"missing of job {job.number}")
        missing.update(iccid for iccid in job.iccids if chance.random() < behaviour.missing_share)
    return missing


def told_state(job: Job, now: datetime) -> JobState:
    """Say what a poll is told of the job's state; a relapse is counted here."""
    state = job.state(now)
    if job.outcomes is None:
        return state
    if job.behaviour.never_tells:
        return "processing"
    job.told_done += 1
    relapsed = 1 < job.told_done <= 1 + job.behaviour.relapses
    return "processing" if relapsed else state


def told_results(world: World, job: Job) -> list[dict[str, object]]:
    """Say what a poll is told of the cards."""
    behaviour = job.behaviour
    missing = left_out(world, job)
    outcomes = [outcome for outcome in job.outcomes or () if outcome.iccid not in missing]
    outcomes += [SimOutcome(iccid) for iccid in behaviour.extra]
    good = behaviour.card_words.get("success", "success")
    bad = behaviour.card_words.get("failed", "failed")
    return [
        told(
            SimResult,
            iccid=outcome.iccid,
            status=good if outcome.problem is None else bad,
            message=outcome.problem,
        )
        for outcome in outcomes
    ]
