"""`notifications`: finds the signature scheme of a captured message, and receives messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import attrs
import click

from ..account import is_loopback
from ..errors import ConfigurationError, NotificationError
from ..notifications import MemoryInbox, RechargeNotice, SignatureScheme, SqliteInbox
from ..notifications.learning import Capture, Learned
from ..notifications.learning import learn as learn_scheme
from ..notifications.signature import JOINS
from .failure import Exit, Failure, WrongUse
from .output import cell, show_facts, show_json, visible
from .session import json_option

_MOST_BYTES = 1024 * 1024
_KEY_VARIABLE = "LINKSFIELD_NOTIFICATION_KEY"


def read_key(source: str) -> str:
    """Read a key from where `env:NAME` or `file:PATH` say; nothing else is a source."""
    kind, _, where = source.partition(":")
    if kind == "env" and where:
        value = os.environ.get(where)
        if not value:
            raise WrongUse(f"the environment variable {visible(where)} is not set")
        return value
    if kind == "file" and where:
        try:
            return Path(where).read_text(encoding="utf-8").strip()
        except OSError as error:
            told = error.strerror or type(error).__name__
        except UnicodeDecodeError:
            told = "it is not UTF-8"  # and no more: the error would show a part of the key
        raise WrongUse(f"the key file {visible(where)} cannot be read: {told}")
    # The text is not shown: it may be the key itself.
    raise WrongUse("a key is named as env:NAME or file:PATH, so that no process list shows it")


def _read_keys(sources: tuple[str, ...]) -> dict[str, str | list[str]]:
    keys: dict[str, str | list[str]] = {}
    for source in sources:
        key_id, equals, where = source.partition("=")
        if not equals or not key_id:
            raise WrongUse("--key is KEYID=env:NAME or KEYID=file:PATH")
        known = keys.setdefault(key_id, [])
        if isinstance(known, list):
            known.append(read_key(where))
    return keys


def _scheme(text: str | None) -> SignatureScheme:
    return SignatureScheme() if text is None else SignatureScheme.parse(text)


@click.group()
def notifications() -> None:
    """Recharge messages that Linksfield pushes: learn their signature, receive them."""


@notifications.command()
@click.argument("capture", type=click.File("rb"), nargs=-1, required=True)
@click.option(
    "--key",
    default=f"env:{_KEY_VARIABLE}",
    show_default=True,
    metavar="env:NAME|file:PATH",
    help="Where the notification key is read.",
)
@click.option("--join", multiple=True, help="Also try this text between the two parts.")
@json_option
def learn(*, capture: Any, key: str, join: tuple[str, ...], as_json: bool) -> None:
    """Tell which signature scheme fits the message in CAPTURE, or in each of several.

    CAPTURE is the request as it came, headers, empty line and body, as `listen --capture` writes
    it; or JSON with `headers` and `body`; `-` reads stdin. Ends with 3 where several schemes fit
    (more messages tell them apart), with 1 where none does.
    """
    joins = tuple(dict.fromkeys((*JOINS.values(), *join)))
    value = read_key(key)
    found = [_learned(one, value, joins) for one in capture]
    fitting = [one for one in found[0].fitting if all(one in other.fitting for other in found)]
    if as_json:
        show_json({"fitting": [_told(one) for one in fitting], "tried": found[0].tried})
    else:
        _show(fitting, found[0].tried)
    if len(fitting) != 1:
        click.get_current_context().exit(Exit.SOME_NOT_GOOD if fitting else Exit.FAILED)


def _learned(capture: Any, key: str, joins: tuple[str, ...]) -> Learned:
    content = capture.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise WrongUse(f"more than {_MOST_BYTES} bytes are no message")
    message = Capture.read(content)
    try:
        return learn_scheme(message.headers, message.body, key, joins=joins)
    except NotificationError as error:
        raise Failure(str(error)) from error


def _told(scheme: SignatureScheme) -> dict[str, str]:
    return {"scheme": str(scheme), **attrs.asdict(scheme)}


def _show(fitting: list[SignatureScheme], tried: int) -> None:
    for scheme in fitting:
        click.echo(str(scheme))
    if not fitting:
        click.echo(
            f"none of {tried} schemes fits: the key may be another one, the body may have"
            " been changed on its way, or the parts are joined by something else (--join)",
            err=True,
        )


@notifications.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--path", default="/notifications", show_default=True, help="Where to receive.")
@click.option(
    "--key",
    multiple=True,
    metavar="KEYID=env:NAME|KEYID=file:PATH",
    help="A key and its id; may be given several times.",
)
@click.option("--scheme", metavar="NAME=VALUE,…", help="As `learn` prints it.")
@click.option("--inbox", metavar="FILE", help="SQLite file that knows messages after a restart.")
@click.option("--capture", metavar="DIR", help="Write every message there, refused ones too.")
@click.option("--unsigned", is_flag=True, help="Take messages without a signature, too.")
@click.option("--allow-any-host", is_flag=True, help="Permit a host that others can reach.")
def listen(**given: Any) -> None:
    """Receive messages until Ctrl-C and print each event once, as a line of JSON.

    Nothing is granted and nothing asked of the service: it is for looking at what comes.
    """
    if not given.pop("allow_any_host") and not is_loopback(given["host"]):
        raise WrongUse("the host is open to other machines; --allow-any-host permits it")
    if not given["path"].startswith("/") or set("{}?# ") & set(given["path"]):
        raise WrongUse("--path begins with / and has no blank, no query and no braces")
    if not given["key"] and not given["unsigned"]:
        raise WrongUse("--key KEYID=env:NAME is needed, or --unsigned, which believes anybody")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_listen(**given))


async def _listen(
    *,
    host: str,
    port: int,
    path: str,
    key: tuple[str, ...],
    scheme: str | None,
    inbox: str | None,
    capture: str | None,
    unsigned: bool,
) -> None:
    # A web server, which the other commands have no use for.
    from ..notifications.aiohttp_web import serve  # noqa: PLC0415
    from ..notifications.receiver import Receiver  # noqa: PLC0415

    kept = MemoryInbox() if inbox is None else SqliteInbox(inbox)
    receiver = Receiver(
        keys=_read_keys(key),
        scheme=_scheme(scheme),
        inbox=kept,
        accept_unsigned=unsigned,
        on_event=lambda event: click.echo(f"{event.kind}: {event.reason}", err=True),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        await kept.waiting()  # a file that cannot be written is told now
        if capture is not None:
            receiver.on_raw = _Captures(Path(capture)).write
        runner, bound = await serve(receiver, _print, path=path, host=host, port=port)
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is an exception
                    loop.add_signal_handler(number, stop.set)
            shown = f"[{host}]" if ":" in host else host
            show_facts([("listening", f"http://{shown}:{bound}{path}")])
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        await kept.aclose()


async def _print(notice: RechargeNotice) -> None:
    facts = {
        "authenticity": notice.authenticity.value,
        "key_id": notice.key_id,
        "timestamp": notice.timestamp,
        "fields": dict(notice.fields),
    }
    click.echo(cell(facts))


class _Captures:
    """Writes messages into numbered files that only their owner may read."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigurationError(f"there is no folder {visible(str(folder))}")
        self._folder = folder
        self._number = 0

    def write(self, headers: list[tuple[str, str]], body: bytes) -> None:
        """Write one message as `learn` reads it."""
        handle = None
        while handle is None:
            self._number += 1
            name = self._folder / f"message-{self._number:06d}.http"
            with contextlib.suppress(FileExistsError):
                handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(handle, "wb") as file:
            file.write(Capture(tuple(headers), body).written())
