"""`runs`: looks into the journals of bulk runs, and settles by hand what nobody else can."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import click

from ..bulk.journal.inspection import RunSummary, look_into, settle_by_hand
from .failure import Failure
from .output import count, show_facts, show_json, show_table
from .session import json_option, yes_option


@click.group()
def runs() -> None:
    """Look into the journal of a bulk run."""


@runs.command()
@click.argument("journal")
@click.option("--check", is_flag=True, help="Read every page of the file, to find damage.")
@json_option
def show(*, journal: str, check: bool, as_json: bool) -> None:
    """Explain a journal: what it is about, what is decided, and what is open.

    It may be looked at while its run goes on.
    """
    summary = look_into(journal, check=check)
    if as_json:
        show_json({**attrs.asdict(summary), "is_finished": summary.is_finished})
    else:
        _show(summary)


@runs.command()
@click.argument("journal")
@click.argument("position", type=click.IntRange(min=0), nargs=-1, required=True)
@click.option("--carried-out", is_flag=True, help="They were: they are done.")
@click.option("--not-carried-out", is_flag=True, help="They were not: they are sent again.")
@yes_option
def settle(
    *, journal: str, position: tuple[int, ...], carried_out: bool, not_carried_out: bool, yes: bool
) -> None:
    """Tell a journal what became of items whose answer was lost.

    Find that out first. What was carried out is done; what was not is sent when the run goes on.
    """
    if carried_out == not_carried_out:
        raise click.UsageError("say --carried-out or --not-carried-out")
    items = count(len(position), "item")
    told = f"{items} done" if carried_out else f"{items} to be sent again"
    if not yes and not click.confirm(f"Take {told}?", err=True):
        raise Failure("not confirmed, nothing was changed")
    settle_by_hand(journal, position, carried_out=carried_out)
    click.echo(f"{told} in {journal}")


def _show(summary: RunSummary) -> None:
    total = "not known yet" if summary.total is None else f"{summary.total:,}"
    facts: list[tuple[str, Any]] = [
        ("journal", f"{summary.path} (format {summary.format})"),
        ("run", f"{summary.kind} of {summary.operation}, begun {_when(summary.created_ms)}"),
        ("partner", summary.partner),
        ("endpoint", summary.endpoints["vshop"]),
        ("input", summary.source_name or "(no file)"),
        ("ICCIDs", "hidden by a key" if summary.hides_iccids else "plain"),
        ("items in all", total),
        ("items read", f"{summary.taken:,}"),
    ]
    facts += [(verdict, f"{number:,}") for verdict, number in summary.verdicts.items()]
    facts += [
        ("to do", f"{summary.todo:,}"),
        ("of these open intents", f"{summary.intents:,}"),
        ("doubles", f"{summary.duplicates:,}"),
        ("taken by the caller", f"{summary.delivered:,}"),
        ("state", "finished" if summary.is_finished else "not finished: the same run goes on"),
    ]
    show_facts(facts)
    if summary.open_intents:
        click.echo("\nOpen intents: written down before sending, and nothing is known after that")
        show_table(
            ("item", "card or operation", "sent not before"),
            ((one.position, one.key, _when(one.sent_ms)) for one in summary.open_intents),
        )
    if summary.errors:
        click.echo("\nErrors by kind:")
        show_table(
            ("verdict", "error", "count", "for example"),
            ((one.verdict, one.error, f"{one.count:,}", one.message) for one in summary.errors),
        )
    click.echo("\nSessions:")
    show_table(
        ("begun", "ended", "how", "host", "process"),
        (
            (_when(one.started_ms), _when(one.ended_ms), one.ended, one.host, one.pid)
            for one in summary.sessions
        ),
    )


def _when(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
