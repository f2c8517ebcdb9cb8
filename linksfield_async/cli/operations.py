"""`operations`: what is known of every operation and field, and how well."""

from __future__ import annotations

import difflib
import os
from typing import Any

import click

from ..account import Endpoints
from ..openapi import openapi as openapi_document
from ..operation import Evidence
from .catalogue import Entry, Field, catalogue
from .output import show_json, show_table
from .session import Session, json_option, pass_session

_HOW = """\
A name that is assumed can be replaced, here or in a TOML file named by LINKSFIELD_WIRE_NAMES:
  Account(…, wire_names={"AddSims.iccids": "iccidList"})"""


@click.command()
@click.argument("name", required=False)
@click.option("--assumed", is_flag=True, help="Only assumed names, with their keys in wire_names.")
@click.option("--openapi", is_flag=True, help="Write all of them as an OpenAPI 3.1 document.")
@json_option
@pass_session
def operations(
    session: Session, name: str | None, assumed: bool, openapi: bool, as_json: bool
) -> None:
    """List every operation and field with its wire name and how well it is known.

    NAME is an operation's class, its name on the wire, or its method: SingleVerify, singleVerify,
    vshop.verify_card. Evidence is seed (in the documents the project began from), documented (in
    another published page), or assumed (nothing is published).

    The OpenAPI document has the addresses of --endpoints, the test ones unless given.
    """
    if openapi:
        if name is not None or assumed:
            raise click.UsageError("--openapi writes all operations and fields")
        addresses = session.endpoints or os.environ.get("LINKSFIELD_ENDPOINTS") or "test"
        show_json(openapi_document(Endpoints.named(addresses)))
        return
    entries = list(catalogue())
    if name is not None:
        entries = [_named(entries, name)]
    if as_json:
        show_json([_as_json(entry, assumed=assumed) for entry in entries])
    elif assumed:
        _show_assumed(entries)
    else:
        for number, entry in enumerate(entries):
            if number:
                click.echo()
            _show(entry)


def _named(entries: list[Entry], name: str) -> Entry:
    asked = name.casefold()
    for entry in entries:
        if asked in entry.names:
            return entry
    known = {one: entry.name for entry in entries for one in entry.names}
    near = difflib.get_close_matches(asked, known, n=3)
    hint = f"; nearest: {', '.join(sorted({known[one] for one in near}))}" if near else ""
    raise click.UsageError(f"no operation is called {name!r}{hint}")


def _chosen(entry: Entry, *, assumed: bool) -> list[Field]:
    return [f for f in entry.fields if not assumed or f.evidence is Evidence.ASSUMED]


def _as_json(entry: Entry, *, assumed: bool) -> dict[str, Any]:
    operation = entry.operation
    return {
        "operation": entry.name,
        "method": entry.method,
        "http_method": operation.method,
        "service": operation.service.value,
        "path": operation.path,
        "effect": operation.effect.value,
        "answer": operation.answer.value,
        "answer_evidence": operation.answer_evidence.value,
        "title": operation.title,
        "fields": [
            {
                "key": field.key,
                "side": field.side,
                "wire": field.wire,
                "required": field.required,
                "evidence": field.evidence.value,
                "also_accept": field.also_accept,
                "meaning": field.meaning,
            }
            for field in _chosen(entry, assumed=assumed)
        ],
    }


def _show(entry: Entry) -> None:
    operation = entry.operation
    click.echo(f"{entry.name}  {entry.route}")
    click.echo(f"  client.{entry.method}(…)  effect: {operation.effect.value}")
    click.echo(f"  answer: {operation.answer.value}, {operation.answer_evidence.value}")
    if entry.fields:
        show_table(
            ("  field", "side", "wire name", "required", "evidence", "also accepted", "meaning"),
            (
                (
                    f"  {field.key}",
                    field.side,
                    field.wire,
                    "yes" if field.required else "",
                    field.evidence.value,
                    ", ".join(field.also_accept),
                    field.meaning,
                )
                for field in entry.fields
            ),
        )


def _show_assumed(entries: list[Entry]) -> None:
    # A model that several operations answer with is listed once.
    fields = {f.key: f for entry in entries for f in _chosen(entry, assumed=True)}
    if not fields:
        click.echo("nothing is assumed here")
        return
    show_table(
        ("key in wire_names", "side", "wire name now", "also accepted", "meaning"),
        ((f.key, f.side, f.wire, ", ".join(f.also_accept), f.meaning) for f in fields.values()),
    )
    click.echo(f"\n{_HOW}")
