"""The root command: global options, all commands, and what becomes of errors."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from typing import Any

import click

from ..errors import LinksfieldError
from ..version import __version__
from .demo import demo
from .failure import Exit, Failure, failure_of
from .groups import groups
from .notifications import notifications
from .operations import operations
from .pay import pay
from .reconciling import reconcile
from .renewal import renewal
from .runs import runs
from .sandbox import sandbox
from .session import Session
from .shop import order, orders, plans
from .sign import sign
from .verify import verify


class Root(click.Group):
    """The group of all commands; an expected error ends in one line, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and turn what it raises into a line and an exit code."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                # Here, where it can still be told that it failed, not when Python ends.
                sys.stdout.flush()
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            # Who reads has seen enough, as `| head` does; there is nobody to tell.
            _drop_stdout()
            ctx.exit(Exit.INTERRUPTED)
        except LinksfieldError as error:
            raise failure_of(error) from error
        except OSError as error:
            _drop_stdout()
            raise Failure(error.strerror or str(error)) from error


def _drop_stdout() -> None:
    """Send what is still buffered nowhere, or Python complains of it at its end."""
    with contextlib.suppress(io.UnsupportedOperation), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--partner-code", metavar="CODE", help="Who calls; else from LINKSFIELD_PARTNER_CODE."
)
@click.option(
    "--endpoints",
    metavar="production|test|URL",
    help="Where to; else from LINKSFIELD_ENDPOINTS, else test.",
)
@click.option("--deadline", type=float, metavar="SECONDS", help="For each call; 30 unless given.")
@click.version_option(__version__, prog_name="linksfield")
@click.pass_context
def root(
    ctx: click.Context, partner_code: str | None, endpoints: str | None, deadline: float | None
) -> None:
    """Linksfield Topup/Mall APIs: verify SIM cards, sell plans, manage SIM groups.

    \b
    Exit codes:
      0  all good
      1  failed: one line on stderr says what happened
      2  wrong use or settings
      3  finished, but some items are not valid or failed
      4  interrupted
    """
    ctx.obj = Session(partner_code, endpoints, deadline)


for command in (
    demo,
    verify,
    runs,
    plans,
    orders,
    order,
    renewal,
    pay,
    groups,
    sign,
    operations,
    sandbox,
    notifications,
):
    root.add_command(command)
order.add_command(reconcile)


def run() -> None:
    """Run the command line as a program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows few characters must not stop a command half-way.
            stream.reconfigure(errors="backslashreplace")
    # What ends a service ends a command the way Ctrl-C does, with its results kept.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    root(prog_name="linksfield")
