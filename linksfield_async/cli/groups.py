"""`groups`: SIMs in groups, changed in the background."""

from __future__ import annotations

import click

from ..operations import GetAsyncResult, ListGroups, ListGroupSims
from .failure import Exit
from .group_changes import add, remove, sync, wait
from .output import cell, show_facts, show_json, show_table
from .session import Session, json_option, pass_session

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


for command in (add, remove, wait, sync):
    groups.add_command(command)
