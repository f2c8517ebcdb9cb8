"""`groups`: SIMs in groups, changed in the background."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable

import attrs
import click

from ..bulk.files.sources import read_iccids
from ..bulk.iccid import clean_iccid
from ..errors import ConfigurationError
from ..operation import Operation
from ..operations import (
    Accepted,
    AddSims,
    GetAsyncResult,
    ListGroups,
    ListGroupSims,
    RemoveSims,
)
from .failure import Exit, WrongUse
from .output import cell, count, show_facts, show_json, show_table
from .session import Decorator, Session, json_option, pass_session, yes_option

_SHOWN_BAD_ROWS = 20
_NOT_GOOD = ("partial", "failed")


@click.group()
def groups() -> None:
    """List groups and their SIMs, add SIMs and remove them."""


@groups.command("list")
@json_option
@pass_session
def list_groups(session: Session, as_json: bool) -> None:
    """List all groups with their data plans."""
    found = session.send(ListGroups())
    if as_json:
        show_json(found)
    elif not found:
        click.echo("no groups")
    else:
        show_table(
            ("group", "name", "data plans"),
            (
                (
                    group.group_id,
                    group.group_name,
                    ", ".join(one.bundle_name or one.bundle_id or "?" for one in group.bundles),
                )
                for group in found
            ),
        )


@groups.command()
@click.argument("group")
@json_option
@pass_session
def sims(session: Session, group: str, as_json: bool) -> None:
    """List the ICCIDs in a group, one in each line."""
    found = session.send(ListGroupSims(group_id=group))
    if as_json:
        show_json(found)
    else:
        for iccid in found:
            click.echo(cell(iccid))


@attrs.frozen
class _Cards:
    """The cards of a file: good ones once each, and what is wrong with the other rows."""

    iccids: list[str]
    bad: list[tuple[int, str]]
    doubles: int


def _read_cards(file: str, column: str | None) -> _Cards:
    source = sys.stdin.buffer if file == "-" else file
    good: dict[str, None] = {}
    bad: list[tuple[int, str]] = []
    doubles = 0
    with read_iccids(source, column) as rows:
        for row in rows:
            try:
                iccid = clean_iccid(row.given)
            except ConfigurationError as error:
                bad.append((row.number, str(error)))
            else:
                doubles += iccid in good
                good[iccid] = None
    return _Cards(list(good), bad, doubles)


def _change_options(command: Callable[..., None]) -> Callable[..., None]:
    options: tuple[Decorator, ...] = (
        click.argument("group"),
        click.argument("file"),
        click.option("--column", metavar="NAME", help="The column that holds the ICCIDs."),
        click.option("--skip-bad", is_flag=True, help="Leave out rows that hold no ICCID."),
        yes_option,
        json_option,
        pass_session,
    )
    for option in reversed(options):
        command = option(command)
    return command


@groups.command()
@_change_options
def add(
    session: Session,
    *,
    group: str,
    file: str,
    column: str | None,
    skip_bad: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for the cards of FILE to be added to GROUP; `-` reads stdin.

    The work runs in the background: `groups result` tells what came of it.
    """
    cards = _cards_to_send(file, column, skip_bad=skip_bad)
    session.confirm(f"Add {count(len(cards.iccids), 'card')} to {group} in production?", yes=yes)
    _send(session, AddSims(group_id=group, iccids=cards.iccids), group, cards, as_json=as_json)


@groups.command()
@_change_options
def remove(
    session: Session,
    *,
    group: str,
    file: str,
    column: str | None,
    skip_bad: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for the cards of FILE to be removed from GROUP; `-` reads stdin.

    The work runs in the background: `groups result` tells what came of it.
    """
    cards = _cards_to_send(file, column, skip_bad=skip_bad)
    number = count(len(cards.iccids), "card")
    session.confirm(f"Remove {number} from {group} in production?", yes=yes)
    _send(session, RemoveSims(group_id=group, iccids=cards.iccids), group, cards, as_json=as_json)


def _cards_to_send(file: str, column: str | None, *, skip_bad: bool) -> _Cards:
    cards = _read_cards(file, column)
    for number, problem in cards.bad[:_SHOWN_BAD_ROWS]:
        click.echo(f"row {number}: {problem}", err=True)
    if len(cards.bad) > _SHOWN_BAD_ROWS:
        click.echo(f"… and {len(cards.bad) - _SHOWN_BAD_ROWS} more", err=True)
    if cards.bad and not skip_bad:
        rows = count(len(cards.bad), "row")
        raise WrongUse(f"{rows} without an ICCID, nothing was sent; --skip-bad leaves them out")
    if not cards.iccids:
        raise WrongUse("no ICCID is left to send, nothing was sent")
    return cards


def _send(
    session: Session, change: Operation[Accepted], group: str, cards: _Cards, *, as_json: bool
) -> None:
    accepted = session.send(change, ask=f"linksfield groups sims {shlex.quote(group)}")
    how = f"linksfield groups result {shlex.quote(accepted.request_id)}"
    if as_json:
        show_json(
            {
                "request_id": accepted.request_id,
                "sent": len(cards.iccids),
                "doubles": cards.doubles,
                "bad_rows": [{"row": row, "problem": problem} for row, problem in cards.bad],
                "ask": how,
            }
        )
    else:
        left_out = f", {cards.doubles} given twice" if cards.doubles else ""
        click.echo(f"accepted: {count(len(cards.iccids), 'card')}{left_out}")
        click.echo(f"request id: {cell(accepted.request_id)}")
        click.echo(f"its result: {cell(how)}")
    if cards.bad:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


@groups.command()
@click.argument("request_id")
@json_option
@pass_session
def result(session: Session, request_id: str, as_json: bool) -> None:
    """Tell how far a change of a group has come, and what became of each card."""
    found = session.send(GetAsyncResult(request_id=request_id))
    if as_json:
        show_json(found)
    else:
        show_facts([("request_id", found.request_id or request_id), ("status", found.status)])
        if found.results:
            click.echo()
            show_table(
                ("iccid", "status", "message"),
                ((one.iccid, one.status, one.message) for one in found.results),
            )
    if found.status.strip().lower() in _NOT_GOOD:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)
