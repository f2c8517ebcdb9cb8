"""`sandbox`: a stand-in for the whole service on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import click

from ..notifications import SignatureScheme
from .session import Session, pass_session

FILE = click.Path(dir_okay=False)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="0 takes a free one.")
@click.option("--cards", default=1_000, show_default=True, help="How many ICCIDs there are.")
@click.option("--seed", default=1, show_default=True, help="The same gives the same cards and ids.")
@click.option(
    "--job-delay", default=0.3, show_default=True, help="Seconds until a group change is done."
)
@click.option(
    "--failure-status", default=400, show_default=True, help="HTTP status of refusals, e.g. 200."
)
@click.option("--latency", default=0.0, show_default=True, help="Seconds added to each answer.")
@click.option("--keep-requests", default=100_000, show_default=True, help="How many the log holds.")
@click.option("--dedupe-orders", is_flag=True, help="Refuse an order number used before.")
@click.option("--allow-any-host", is_flag=True, help="Permit a host that others can reach.")
@click.option("--notify-url", metavar="URL", help="Where recharge messages go, on this machine.")
@click.option(
    "--notification-key", default="sandbox notification key", show_default=True, help="Signs them."
)
@click.option("--notification-key-id", default="sandbox", show_default=True, help="Its id.")
@click.option(
    "--notification-scheme",
    metavar="NAME=VALUE,…",
    default="",
    help="How they are signed, as `notifications learn` prints it.",
)
@click.option("--faults", type=FILE, help="TOML file of what is to go wrong.")
@click.option("--state", type=FILE, help="File that keeps the state over restarts.")
@pass_session
def sandbox(session: Session, /, **settings: Any) -> None:
    """Run a stand-in for the service until Ctrl-C.

    It keeps cards, plans, orders, payments, renewals and groups, checks signatures, and plays
    Stripe too. Prints its address and what to export, so that other commands talk to it.
    """
    # A web server of its own, which the other commands have no use for.
    from ..sandbox import Sandbox, serve  # noqa: PLC0415

    scheme = SignatureScheme.parse(settings.pop("notification_scheme"))
    settings["notification_scheme"] = scheme
    if session.partner_code is not None:
        settings["partner_code"] = session.partner_code
    # Ctrl-C is how it is meant to end; where no signal handler can be set it is an exception.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Sandbox(**settings), write=click.echo))
