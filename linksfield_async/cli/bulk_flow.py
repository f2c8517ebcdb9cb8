"""A bulk run that is stopped and goes on: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from .. import sandbox
from ..bulk import Outcome, look_into, read_iccids
from ..client import Client
from ..operations import CardVerification
from ..sandbox.log import RequestLog
from .flows import Walk

_STEP = "singleVerify"


async def stop_and_resume(client: Client, requests: RequestLog, walk: Walk) -> None:
    """Verify the sample with a journal, stop in the middle, and go on with the same journal."""
    sent_before = requests.total
    with TemporaryDirectory(prefix="linksfield-demo-") as folder:
        journal = str(Path(folder) / "run.db")
        begun = await _run(client, journal, stop_after=100)
        walk.check(_STEP, len(begun) > 0, "a run with a journal can be stopped in the middle")
        known = look_into(journal)
        is_kept = sum(known.verdicts.values()) >= len(begun) and not known.is_finished
        walk.check(_STEP, is_kept, "the journal knows what is decided")
        rest = await _run(client, journal, stop_after=None)
        whole = sorted(outcome.position for outcome in [*begun, *rest])
        walk.check(_STEP, whole == list(range(len(whole))), "each row has one outcome in all")
        walk.check(_STEP, look_into(journal).is_finished, "the journal says that all is done")
    first_ones = sum(
        outcome.verdict != "invalid_input" and outcome.duplicate_of is None
        for outcome in [*begun, *rest]
    )
    sent = requests.total - sent_before
    walk.check(_STEP, sent == first_ones, "every card was sent once, also one that stands twice")


async def _run(
    client: Client, journal: str, stop_after: int | None
) -> list[Outcome[CardVerification]]:
    outcomes = []
    with read_iccids(sandbox.SAMPLE_CARDS) as rows:
        async with client.verify_many(rows, journal=journal) as run:
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == stop_after:
                    run.stop()
    return outcomes
