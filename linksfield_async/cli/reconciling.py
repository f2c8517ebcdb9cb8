"""`order reconcile`: what became of saved checkouts whose answers were lost."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import (
    CheckoutConflict,
    CheckoutRefused,
    ConfigurationError,
    Contradiction,
    LinksfieldError,
)
from .failure import Exit, WrongUse
from .output import show_json, visible
from .session import Session, json_option, pass_session, run

if TYPE_CHECKING:
    from ..checkout import AsyncCheckout, Checkout, Conclusion, SqliteCheckouts

_SQLITE = b"SQLite format 3\0"
_PATH: Any = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--key", help="Of one checkout in a store; else all that are unknown.")
@click.option(
    "--known",
    type=_PATH,
    multiple=True,
    help="A saved checkout whose order was shown; proves that asking works. May be repeated.",
)
@click.option(
    "--quarantine",
    type=click.FloatRange(0),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the service may work on what it was sent.",
)
@json_option
@pass_session
@click.pass_context
def reconcile(
    ctx: click.Context,
    session: Session,
    *,
    file: Path,
    key: str | None,
    known: Sequence[Path],
    quarantine: float,
    as_json: bool,
) -> None:
    """Ask what became of saved checkouts, and keep what is concluded.

    FILE is the text of one checkout, or an SQLite store of many. Nothing is ordered, paid or
    confirmed. Ends with 3 where something stays unknown, or a card has more orders than were made.
    """
    from ..checkout import SqliteCheckouts  # noqa: PLC0415 - only this command needs it

    is_store = _is_store(file)
    if key is not None and not is_store:
        raise WrongUse("--key is for a store; this file is the text of one checkout")
    texts = [_read(path) for path in known]

    async def work() -> _Told:
        async with session.client() as client:
            checkouts = client.checkout.with_settings(quarantine=quarantine)
            if is_store:
                found = await _of_store(checkouts, SqliteCheckouts(file), key)
            else:
                text = _read(file)
                found = [(file.name, checkouts.load(text, save=_Replacing(file, text)))]
            return [(name, one, await _asked(checkouts, one, texts)) for name, one in found]

    told = run(work())
    if as_json:
        show_json([_as_json(name, checkout, found) for name, checkout, found in told])
    elif not told:
        click.echo("nothing is unknown")
    else:
        for name, checkout, found in told:
            _show(name, checkout, found)
    if not all(_is_good(checkout, found) for _, checkout, found in told):
        ctx.exit(Exit.SOME_NOT_GOOD)


_Found = list[tuple[str, "Checkout | CheckoutRefused"]]
_Told = list[tuple[str, "Checkout | CheckoutRefused", "Conclusion | LinksfieldError"]]


async def _asked(
    checkouts: AsyncCheckout, checkout: Checkout | CheckoutRefused, known: Sequence[str]
) -> Conclusion | LinksfieldError:
    if isinstance(checkout, CheckoutRefused):
        return checkout
    try:
        return await checkouts.reconcile(checkout, known=known)
    except (Contradiction, CheckoutConflict) as error:
        return error  # told with the others; what is kept stays as it is


async def _of_store(checkouts: AsyncCheckout, store: SqliteCheckouts, key: str | None) -> _Found:
    found: _Found = []
    for one in await store.in_doubt() if key is None else (key,):
        try:
            checkout = await checkouts.resume(store=store, key=one)
        except CheckoutRefused as error:  # one store may serve several partners
            if key is not None:
                raise
            found.append((one, error))
            continue
        if checkout is None:
            raise WrongUse(f"the store has no checkout under {one!r}")
        found.append((one, checkout))
    return found


def _is_store(path: Path) -> bool:
    """Tell a store from a text; opening another SQLite file as one would write to it."""
    with path.open("rb") as opened:
        if opened.read(len(_SQLITE)) != _SQLITE:
            return False
    # Not read only: what a killed shop left half written has to be rolled back first.
    uri = f"{path.resolve().as_uri()}?mode=rw"
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'checkout'"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            if connection.execute(sql).fetchone() is not None:
                return True
    except sqlite3.Error as error:
        raise WrongUse(f"{path.name} cannot be read: {error}") from error
    raise WrongUse(f"{path.name} is an SQLite file, but no store of checkouts")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path.name} is no saved checkout") from error


class _Replacing:
    """Writes a checkout's text over its file, at once or not at all; its owner alone may read it.

    Only over the text that it knows: what a shop has saved meanwhile stands.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path.resolve()  # a link stays one
        self._text = text

    def __call__(self, saved: str) -> None:
        """Write a new file and put it in the old one's place."""
        number, name = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
        new = Path(name)
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(saved)
                file.flush()
                os.fsync(file.fileno())
            self._check()
            new.replace(self._path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        self._text = saved

    def _check(self) -> None:
        if not self._path.exists() or _read(self._path) != self._text:
            raise CheckoutConflict("the file was written meanwhile: what stands there is kept")


_WORDS = {True: "carried out", False: "not carried out", None: "still unknown"}


def _is_good(checkout: Checkout | CheckoutRefused, found: Conclusion | LinksfieldError) -> bool:
    if isinstance(checkout, CheckoutRefused) or isinstance(found, LinksfieldError):
        return False
    return checkout.record.under_way is None and not found.doubled


def _show(
    name: str, checkout: Checkout | CheckoutRefused, found: Conclusion | LinksfieldError
) -> None:
    if isinstance(checkout, CheckoutRefused):
        click.echo(f"{visible(name)}: not asked about: {checkout}")
        return
    if isinstance(found, LinksfieldError):
        kind = "contradiction" if isinstance(found, Contradiction) else "conflict"
        click.echo(f"{visible(name)}: {kind}: {found}; it stays {checkout.state}")
        return
    click.echo(f"{visible(name)}: {found.step} {_WORDS[found.carried_out]}; now {checkout.state}")
    for fact in found.evidence:
        click.echo(f"  {fact.at:%H:%M:%S}  {fact.told}")
    if found.doubled:
        click.echo("  doubled: the card has more new orders of this plan than were made")


def _as_json(
    name: str, checkout: Checkout | CheckoutRefused, found: Conclusion | LinksfieldError
) -> dict[str, Any]:
    if isinstance(checkout, CheckoutRefused):
        return {"checkout": name, "refused": str(checkout)}
    told: dict[str, Any] = {
        "checkout": name,
        "state": str(checkout.state),
        "order_no": checkout.record.ids.order_no,
    }
    if isinstance(found, LinksfieldError):
        kind = "contradiction" if isinstance(found, Contradiction) else "conflict"
        return told | {kind: str(found)}
    return told | {
        "step": str(found.step),
        "carried_out": found.carried_out,
        "doubled": found.doubled,
        "evidence": [{"at": one.at, "told": one.told} for one in found.evidence],
        "orders": found.orders,
    }
