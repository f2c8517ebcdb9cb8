"""How changes of groups are shown: what was accepted, and what became of each card."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..groups.job import GroupJob
from ..groups.report import CardChange, GroupReport, SyncReport, check_report_name
from .failure import Exit
from .group_cards import CardFile
from .output import cell, count, show_facts, show_json, show_table

_SHOWN_PROBLEMS = 10


def check_report(given: dict[str, Any]) -> None:
    """Refuse a name for the report that cannot be written, before anything is sent."""
    if given["report"] is not None:
        check_report_name(given["report"])


def show_begun(job: GroupJob, cards: CardFile, *, as_json: bool) -> None:
    """Tell what was accepted, and how to wait for it."""
    ids, status = job.request_ids, job.status()
    sent = sum(part.count for part in job.parts if part.request_id)
    failed = sum(part.count for part in job.parts if not part.request_id)
    if as_json:
        show_json(
            {
                "request_id": ids[0] if len(ids) == 1 else None,
                "request_ids": ids,
                "sent": sent,
                "cards": status.cards,
                "refused": status.refused,
                "in_doubt": status.in_doubt,
                "doubles": cards.doubles,
                "bad_rows": _bad_rows(cards.bad),
                "token": job.token,
            }
        )
    else:
        left_out = f", {cards.doubles} given twice" if cards.doubles else ""
        click.echo(f"accepted: {count(sent, 'card')}{left_out}")
        for request_id in ids:
            click.echo(f"request id: {cell(request_id)}")
        if len(ids) == 1:
            how = f"linksfield groups result {shlex.quote(ids[0])}"
            click.echo(f"its result: {cell(how)}")
        click.echo(f"to wait: {cell(f'linksfield groups wait {shlex.quote(job.token)}')}")
    if failed:
        click.echo(f"not accepted: {count(failed, 'card')}", err=True)
    if cards.bad or failed:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


def _bad_rows(bad: list[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"row": row, "problem": problem} for row, problem in bad]


def show_report(
    report: GroupReport,
    given: dict[str, Any],
    *,
    doubles: int,
    bad: list[tuple[int, str]] | None = None,
) -> None:
    """Tell what became of a change; exit with 3 where not all is done."""
    _write(report, given)
    facts: dict[str, Any] = {
        "group": report.group_id,
        "change": report.change,
        **report.counts,
        "unaccounted": report.unaccounted,
        "doubles": doubles,
    }
    _show(facts, report.changes, report.contradictions, given["as_json"], bad or [])
    if bad or not report.is_done:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


def show_sync(report: SyncReport, given: dict[str, Any], cards: CardFile) -> None:
    """Tell what a sync found and did; exit with 3 where the group is not as wanted."""
    if not report.dry_run:
        _write(report, given)
    facts: dict[str, Any] = {
        "group": report.group_id,
        "wanted": report.wanted,
        "members": report.members,
        "adding": len(report.to_add),
        "removing": len(report.to_remove),
        "doubles": cards.doubles,
    }
    if not report.dry_run:
        facts |= {**report.counts, "missing": report.missing, "surplus": report.surplus}
        if report.hidden:
            facts["hidden"] = report.hidden
    elif given["as_json"]:
        facts |= {"to_add": report.to_add, "to_remove": report.to_remove}
    _show(facts, report.changes, report.contradictions, given["as_json"], cards.bad)
    if cards.bad or not (report.dry_run or report.is_done):
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


def _write(report: GroupReport | SyncReport, given: dict[str, Any]) -> None:
    if given["report"] is not None:
        report.write(given["report"], only_failed=given["only_failed"], force=given["force"])


def _show(
    facts: dict[str, Any],
    changes: tuple[CardChange, ...],
    contradictions: tuple[str, ...],
    as_json: bool,
    bad: list[tuple[int, str]],
) -> None:
    problems = [one for one in changes if one.verdict != "done"][:_SHOWN_PROBLEMS]
    if as_json:
        told = facts | {"bad_rows": _bad_rows(bad), "contradictions": contradictions}
        told["first_problems"] = [
            {"iccid": one.iccid, "verdict": one.verdict, "reason": one.reason} for one in problems
        ]
        show_json(told)
        return
    show_facts(facts.items())
    for told_so in contradictions:
        click.echo(cell(f"the service contradicted itself: {told_so}"), err=True)
    if problems:
        click.echo(f"\nThe first {count(len(problems), 'card')} not done:")
        show_table(
            ("iccid", "verdict", "reason"),
            ((one.iccid, one.verdict, one.reason) for one in problems),
        )
