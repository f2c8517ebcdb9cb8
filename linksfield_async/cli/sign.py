"""`sign`: the signature of a request's parameters, and why a given one differs."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import attrs
import click

from ..errors import ConfigurationError
from ..signing import Explanation
from ..signing import explain as explain_sign
from ..signing import sign as make_sign
from .failure import Exit
from .output import show_facts, show_json
from .session import json_option

_MOST_BYTES = 4 * 1024 * 1024


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--explain", is_flag=True, help="Also say what is signed, and compare a given sign.")
@json_option
def sign(file: Any, explain: bool, as_json: bool) -> None:
    """Sign the parameters in FILE, a JSON object; `-` reads stdin.

    The object may hold a `sign` of its own: --explain tells whether it matches and, where it does
    not, which usual mistake gives it; it then ends with 3. No account is needed: no secret enters
    the signature.
    """
    params = _read_object(file.read(_MOST_BYTES + 1))
    if not explain:
        right = make_sign(params)
        if as_json:
            show_json({"sign": right})
        else:
            click.echo(right)
        return
    given = params.get("sign")
    if given is not None and not isinstance(given, str):
        raise ConfigurationError("the given sign must be text")
    found = explain_sign(params)
    if as_json:
        show_json(attrs.asdict(found))
    else:
        _show(found)
    if found.matches is False:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD)


def _show(found: Explanation) -> None:
    facts = [("text", found.text), ("rule", found.rule), ("sign", found.sign)]
    if found.given is not None:
        facts += [("given", found.given), ("matches", "yes" if found.matches else "no")]
    if found.matches is False:
        told = found.differences or ("no usual mistake gives this sign",)
        facts += [("differs", one) for one in told]
    if found.implied_text is not None:
        facts.append(("its text", found.implied_text))
    show_facts(facts)


def _read_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object; a key that stands twice and NaN have no one meaning."""
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"more than {_MOST_BYTES} bytes are no parameters of a request")
    try:
        read = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ConfigurationError("nested too deeply") from error
    except ConfigurationError:
        raise
    except ValueError as error:
        # A whole number of thousands of digits.
        raise ConfigurationError(f"not JSON that can be read: {error}") from error
    if not isinstance(read, dict):
        raise ConfigurationError("the parameters must be one JSON object")
    return read


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ConfigurationError(f"the parameter {name!r} stands there twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ConfigurationError(f"{name} is not JSON")
