"""`sign`: the signature of a request's parameters, and why a given one differs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs
import click

from .failure import Exit
from .output import show_facts, show_json
from .session import json_option

if TYPE_CHECKING:
    from ..sandbox.explaining import Explained


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--explain", is_flag=True, help="Also say what is signed, and compare a given sign.")
@json_option
def sign(file: Any, explain: bool, as_json: bool) -> None:
    """Sign the parameters in FILE; `-` reads stdin.

    FILE holds a JSON object, or a captured request: its HTTP text, the output of `curl -v` or
    `curl --trace-ascii -`, a curl command, or JSON with method, url, headers and body.

    It may hold a `sign` of its own: --explain tells whether it matches and, where it does not,
    which usual mistakes give it; it then ends with 3. No account is needed: no secret enters the
    signature. Whether the access code in LINKSFIELD_ACCESS_CODE entered it is tried too.
    """
    # The sandbox reads captures and knows the paths; the other commands have no use for it.
    from ..sandbox.explaining import MOST_BYTES, explain_content  # noqa: PLC0415

    code = os.environ.get("LINKSFIELD_ACCESS_CODE") or None
    found = explain_content(file.read(MOST_BYTES + 1), access_code=code)
    if not explain:
        if as_json:
            show_json({"sign": found.sign})
        else:
            click.echo(found.sign)
        return
    if as_json:
        show_json(attrs.asdict(found))
    else:
        _show(found)
    if found.matches is False:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


def _show(found: Explained) -> None:
    facts = [("text", found.text), ("rule", found.rule), ("sign", found.sign)]
    if found.operation is not None:
        facts.insert(0, ("operation", found.operation))
    if found.given is not None:
        facts += [("given", found.given), ("matches", "yes" if found.matches else "no")]
    if found.matches is False:
        told = found.differences or ("no usual mistake gives this sign",)
        facts += [("differs", one) for one in told]
    if found.implied_text is not None:
        facts.append(("its text", found.implied_text))
    if found.implied_text is not None and found.first_difference is not None:
        at = found.first_difference
        facts.append(("from here", f"{at + 1}: {found.implied_text[at : at + 40]}"))
        facts.append(("instead of", f"{at + 1}: {found.text[at : at + 40]}"))
    facts += [("note", note) for note in found.notes]
    show_facts(facts)
