"""`demo`: the main job and every documented flow against a sandbox, each answer checked."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import attrs
import click

from ..bulk.files.sources import read_iccids
from ..client import Client
from ..errors import LinksfieldError
from ..operation import Evidence
from ..operations import OPERATIONS
from .failure import Failure
from .output import count, show_json
from .session import json_option, run

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from .flows import Walk

_NOTE = "What you saw ran against a sandbox on this machine, not against the service."
_CARDS = 10_000
_ROWS = 10_000
_GROUP_CARDS = 25


@attrs.frozen
class Stage:
    """One part of the demo that went as expected."""

    name: str
    seconds: float
    steps: tuple[str, ...]


@attrs.frozen
class Report:
    """Everything that the demo found."""

    stages: tuple[Stage, ...]
    verdicts: dict[str, int]
    per_second: float
    requests: int
    assumed: tuple[str, ...]
    """Operations that were used and whose answers have an assumed shape."""
    seconds: float


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Verify 10,000 sample cards and walk through every flow, against a sandbox.

    Nothing else has to be installed, running or set. It ends with an error that names the step
    if any answer is not the one expected.
    """

    def show(stage: Stage) -> None:
        if as_json:
            return
        click.echo(f"{stage.name}  ({stage.seconds:.1f} s)")
        for step in stage.steps:
            click.echo(f"  ok  {step}")

    report = run(_demo(show))
    if as_json:
        show_json({"ok": True, **attrs.asdict(report), "note": _NOTE})
    else:
        _show_summary(report)


def _show_summary(report: Report) -> None:
    steps = sum(len(stage.steps) for stage in report.stages)
    counts = ", ".join(f"{number:,} {verdict}" for verdict, number in report.verdicts.items())
    rows = sum(report.verdicts.values())
    click.echo()
    click.echo(f"{rows:,} rows: {counts}; {report.per_second:,.0f} rows/s")
    click.echo(
        f"{count(len(report.stages), 'stage')}, {count(steps, 'step')} as expected, "
        f"{count(report.requests, 'request')}, {report.seconds:.1f} s"
    )
    click.echo("Nothing is published about how these answer; their shapes are assumed:")
    for start in range(0, len(report.assumed), 4):
        click.echo(f"  {', '.join(report.assumed[start : start + 4])}")
    click.echo(_NOTE)


async def _demo(show: Callable[[Stage], None]) -> Report:
    # Imported here: they load a web server, which no other command needs.
    from ..sandbox import Sandbox  # noqa: PLC0415

    started = time.monotonic()
    stages: list[Stage] = []
    verdicts: Counter[str] = Counter()
    async with Sandbox(cards=_CARDS, seed=1) as sandbox, Client(sandbox.account) as client:
        for name, work in _stages(client, sandbox, verdicts):
            stages.append(await _stage(name, work))
            show(stages[-1])
        return Report(
            stages=tuple(stages),
            verdicts=dict(verdicts.most_common()),
            per_second=round(verdicts.total() / stages[0].seconds, 1),
            requests=len(sandbox.requests),
            assumed=_assumed(sandbox),
            seconds=round(time.monotonic() - started, 3),
        )


async def _stage(name: str, work: Callable[[Walk], Awaitable[None]]) -> Stage:
    from .flows import StepFailed, Walk  # noqa: PLC0415

    started, walk = time.monotonic(), Walk()
    try:
        await work(walk)
    except StepFailed as error:
        raise Failure(f"{name}: {error}") from error
    except LinksfieldError as error:
        step = "" if error.operation is None else f"{type(error.operation).__name__}: "
        raise Failure(f"{name}: {step}{error}") from error
    return Stage(name, round(time.monotonic() - started, 3), tuple(walk.steps))


def _stages(
    client: Client, sandbox: Sandbox, verdicts: Counter[str]
) -> Iterator[tuple[str, Callable[[Walk], Awaitable[None]]]]:
    from . import flows  # noqa: PLC0415
    from .bulk_flow import stop_and_resume  # noqa: PLC0415
    from .checkout_flow import take_up_again  # noqa: PLC0415

    stripe, clock = sandbox.stripe, sandbox.clock
    once, renewing, reported, *grouped = islice(sandbox.world.iccids(), 3 + _GROUP_CARDS)
    resumed = next(islice(sandbox.world.iccids(), 3 + _GROUP_CARDS, None))
    foreign = next(sandbox.world.iccids("foreign"))
    yield "Verify the sample file", lambda walk: _verify(client, sandbox, verdicts, walk)
    yield "Stopped and resumed", lambda walk: stop_and_resume(client, sandbox.requests, walk)
    yield "One-time purchase", lambda walk: flows.buy_once(client, stripe, once, walk)
    yield "Subscription", lambda walk: flows.subscribe(client, stripe, clock, renewing, walk)
    yield (
        "Checkout taken up again",
        lambda walk: take_up_again(client, stripe, sandbox.requests, resumed, walk),
    )
    yield "Group of SIMs", lambda walk: flows.change_group(client, grouped, foreign, walk)
    yield "Order paid elsewhere", lambda walk: flows.report_paid(client, reported, walk)


async def _verify(client: Client, sandbox: Sandbox, verdicts: Counter[str], walk: Walk) -> None:
    """Verify the shipped file and hold each verdict against what the sandbox knows."""
    from ..sandbox import SAMPLE_CARDS  # noqa: PLC0415

    world, wrong = sandbox.world, 0
    with read_iccids(SAMPLE_CARDS) as rows, _progress() as shown:
        outcomes = client.verify_many(row.given for row in rows)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                verdicts[outcome.verdict] += 1
                if outcome.verdict != "invalid_input":
                    valid = outcome.iccid is not None and world.is_valid(outcome.iccid)
                    wrong += valid is not (outcome.verdict == "valid")
                shown(verdicts.total())
    found = dict(verdicts)
    walk.check("singleVerify", verdicts.total() == _ROWS, f"there are {_ROWS:,} outcomes")
    walk.check("singleVerify", wrong == 0, "each verdict is what the sandbox knows of the card")
    expected = _expected()
    told = ", ".join(f"{number:,} {verdict}" for verdict, number in expected.items())
    walk.check("singleVerify", found == expected, f"the counts are {told}")


def _expected() -> dict[str, int]:
    """Tell what must become of the sample's rows, from the kinds they were made of."""
    from ..sandbox.sample import RECOVERABLE, sample_expectation  # noqa: PLC0415

    good = {"valid", "duplicate", *RECOVERABLE}
    refused = {"unknown", "foreign", "suspended"}
    verdicts: Counter[str] = Counter()
    for kind, number in sample_expectation().items():
        verdict = "valid" if kind in good else "refused" if kind in refused else "invalid_input"
        verdicts[verdict] += number
    return dict(verdicts.most_common())


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, nothing elsewhere: it takes seconds."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=_ROWS)
        yield lambda done: bar.update(task, completed=done)


def _assumed(sandbox: Sandbox) -> tuple[str, ...]:
    used = {request.operation for request in sandbox.requests}
    return tuple(
        operation.__name__
        for operation in OPERATIONS
        if operation.__name__ in used and operation.answer_evidence is Evidence.ASSUMED
    )
