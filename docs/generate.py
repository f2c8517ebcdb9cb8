"""Writes docs/operations.md from the declarations; a test fails where it is not up to date."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args

import attrs

from linksfield_async import OPERATIONS
from linksfield_async.operation import Model, Operation, result_model, wire_fields

TARGET = Path(__file__).parent / "operations.md"
HEAD = """# Operations

Generated from the declarations by `docs/generate.py`. **Evidence**: *seed* and *documented* stand in
a page of the vendor's; *assumed* is our own choice where nothing is published, to be replaced with
`Account(wire_names={"Class.field": "name"})`. **Effect**: *read* changes nothing, *once* must never be
repeated blindly.
"""


def table(kind: type[Any]) -> str:
    """The fields of an operation or a model."""
    rows = ["| field | on the wire | required | evidence | meaning |", "|---|---|---|---|---|"]
    for field in wire_fields(kind):
        names = ", ".join(f"`{name}`" for name in (field.wire.name, *field.wire.also_accept))
        example = f" (e.g. `{field.wire.example}`)" if field.wire.example else ""
        required = "yes" if field.required else ""
        meaning = field.wire.meaning.replace("|", "\\|") + example
        rows.append(
            f"| `{field.python}` | {names} | {required} | {field.wire.evidence.value} | {meaning} |"
        )
    return "\n".join(rows)


def models_in(model: type[Model] | None) -> list[type[Model]]:
    """A model and those inside it, outermost first."""
    if model is None:
        return []
    inner = [result_model(field.type) for field in attrs.fields(attrs.resolve_types(model))]
    return [model, *(found for one in inner for found in models_in(one))]


def printed(result: Any) -> str:
    """A result type as a reader writes it."""
    if result is None or result is type(None):
        return "None"
    args = get_args(result)
    if not args:
        return str(result.__name__)
    if args[1:] == (...,):
        return f"tuple[{printed(args[0])}, ...]"
    return " | ".join(printed(arg) for arg in args)


def described(operation: type[Operation[Any]]) -> str:
    """One operation's part of the page."""
    lines = [
        f"## {operation.__name__}",
        "",
        (
            f"*{operation.title}* · `{operation.method} {operation.path}` "
            f"({operation.service.value}) · effect: **{operation.effect.value}** · "
            f"answer: {operation.answer_evidence.value}"
        ),
        "",
        inspect.cleandoc(operation.__doc__ or ""),
    ]
    if wire_fields(operation):
        lines += ["", table(operation)]
    models = models_in(result_model(operation.result))
    lines += ["", f"Answers with `{printed(operation.result)}`" + (":" if models else ".")]
    for model in models:
        if wire_fields(model):
            lines += ["", f"`{model.__name__}`", "", table(model)]
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    contents = " · ".join(f"[{o.__name__}](#{o.__name__.lower()})" for o in OPERATIONS)
    return "\n\n".join([HEAD.strip(), contents, *map(described, OPERATIONS)]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
