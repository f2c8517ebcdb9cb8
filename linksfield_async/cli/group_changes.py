"""`groups add`, `remove`, `wait` and `sync`: changes of groups, waited for and reported by card."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from ..bulk import Journal
from ..client import Client
from ..errors import LinksfieldError, StillUnknown
from ..groups.job import GroupJob
from ..groups.report import Change, GroupReport, SyncReport
from ..groups.status import JobStatus
from .failure import Failure, failure_of
from .group_cards import read_cards
from .group_reports import check_report, show_begun, show_report, show_sync
from .output import cell, count
from .session import Decorator, Session, json_option, pass_session, run, yes_option

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 5.0

_seconds = click.FloatRange(min=0, min_open=True)


def _options(*options: Decorator) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_card_options = _options(
    click.argument("group"),
    click.argument("file"),
    click.option("--column", metavar="NAME", help="The column that holds the ICCIDs."),
    click.option("--skip-bad", is_flag=True, help="Leave out rows that hold no ICCID."),
    click.option("--journal", metavar="FILE", help="Keep what is sent; the same one goes on."),
    click.option("--chunk-size", type=click.IntRange(1), help="Cards per request to begin with."),
)
_wait_options = _options(
    click.option("--within", type=_seconds, help="Seconds to ask for a result; 900 unless given."),
    click.option(
        "--settle-for",
        type=click.FloatRange(min=0),
        help="Seconds to read the group again where it does not show a change; 60 unless given.",
    ),
    click.option("--report", metavar="FILE", help="Write each card: .csv or .jsonl."),
    click.option("--only-failed", is_flag=True, help="Write only the cards that are not done."),
    click.option("--force", is_flag=True, help="Overwrite what --report names."),
)


def _changing(change: Change, what: str) -> click.Command:
    def command(session: Session, /, **given: Any) -> None:
        _change(session, change, given)

    command.__doc__ = f"""Ask for the cards of FILE to be {what} GROUP; `-` reads stdin.

    The work runs in the background: `--wait`, or `groups wait` later, tells what came of it.
    """
    wait_here = click.option(
        "--wait", is_flag=True, help="Wait for the end, and say what became of each card."
    )
    options = (_card_options, wait_here, _wait_options, yes_option, json_option, pass_session)
    return click.command(change)(_options(*options)(command))


add = _changing("add", "added to")
remove = _changing("remove", "removed from")


@click.command()
@click.argument("token")
@click.option("--cards", "file", metavar="FILE", help="The file of the change, to name each card.")
@click.option("--column", metavar="NAME", help="The column that holds the ICCIDs.")
@_wait_options
@json_option
@pass_session
def wait(session: Session, /, *, token: str, file: str | None, **given: Any) -> None:
    """Wait for a change that `groups add` or `groups remove` began; `-` reads TOKEN from stdin."""
    check_report(given)
    text = sys.stdin.read() if token == "-" else token  # noqa: S105
    cards = None
    if file is not None:
        cards = read_cards(file, given["column"], skip_bad=True).iccids

    async def work(client: Client) -> GroupReport:
        job = await client.groups.resume(text, iccids=cards, **_settings(given))
        return await job

    show_report(_run(session, work), given, doubles=0)


@click.command()
@_card_options
@click.option("--dry-run", is_flag=True, help="Only tell what would be added and removed.")
@click.option("--allow-empty", is_flag=True, help="Let an empty FILE remove every card.")
@_wait_options
@yes_option
@json_option
@pass_session
def sync(session: Session, /, **given: Any) -> None:
    """Bring GROUP to the cards of FILE and no others; `-` reads stdin.

    Reads the group, sends what differs, waits, and reads it again. Running it again is harmless;
    with --journal it goes on where it broke off. LINKSFIELD_JOURNAL_KEY hides the ICCIDs in it.
    """
    check_report(given)
    empty = given["allow_empty"] or given["dry_run"]
    cards = read_cards(
        given["file"], given["column"], skip_bad=given["skip_bad"], may_be_empty=empty
    )
    group = given["group"]
    if not given["dry_run"]:
        question = f"Bring {group} to {count(len(cards.iccids), 'card')} in production?"
        session.confirm(question, yes=given["yes"])

    async def work(client: Client) -> SyncReport:
        return await client.groups.sync(
            group_id=group,
            iccids=cards.iccids,
            dry_run=given["dry_run"],
            allow_empty=given["allow_empty"],
            journal=_journal(given),
            **_settings(given),
        )

    show_sync(_run(session, work), given, cards)


def _change(session: Session, change: Change, given: dict[str, Any]) -> None:
    check_report(given)
    cards = read_cards(given["file"], given["column"], skip_bad=given["skip_bad"])
    group, number = given["group"], count(len(cards.iccids), "card")
    told = f"Add {number} to" if change == "add" else f"Remove {number} from"
    session.confirm(f"{told} {group} in production?", yes=given["yes"])

    async def work(client: Client) -> tuple[GroupJob, GroupReport | None]:
        begin = client.groups.add_sims if change == "add" else client.groups.remove_sims
        job = await begin(
            group_id=group, iccids=cards.iccids, journal=_journal(given), **_settings(given)
        )
        if job.status().in_doubt and not job.request_ids and not given["wait"]:
            raise Failure(
                "it is unknown whether it was carried out: before anything else ask "
                f"`linksfield groups sims {shlex.quote(group)}`"
            )
        if not given["wait"]:
            return job, None
        return job, await job

    job, report = _run(session, work, ask=f"linksfield groups sims {shlex.quote(group)}")
    if report is not None:
        show_report(report, given, doubles=cards.doubles, bad=cards.bad)
        return
    show_begun(job, cards, as_json=given["as_json"])


def _run(session: Session, work: Callable[[Client], Awaitable[T]], *, ask: str | None = None) -> T:
    client = session.client()

    async def once() -> T:
        async with client:
            return await work(client)

    try:
        return run(once())
    except StillUnknown as error:
        ids = ", ".join(error.request_ids[:3])
        raise Failure(f"{error}; ask again, e.g. `linksfield groups result {ids}`") from error
    except LinksfieldError as error:
        raise failure_of(error, ask=ask) from error


def _journal(given: dict[str, Any]) -> Journal | None:
    path = given["journal"]
    return None if path is None else Journal(path, key=os.environ.get("LINKSFIELD_JOURNAL_KEY"))


def _settings(given: dict[str, Any]) -> Any:
    names = ("chunk_size", "within", "settle_for")
    settings = {name: given[name] for name in names if given.get(name) is not None}
    return settings | {"progress": _Lines().show}


class _Lines:
    """A plain line on stderr every few seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, told: JobStatus) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        ended = told.requests - told.open
        words = f", {', '.join(map(cell, told.words))}" if told.words else ""
        line = f"{told.change}: {ended} of {count(told.requests, 'request')} ended{words}"
        click.echo(line, err=True)
