"""`python -m linksfield_async.sandbox --port 8080`: run a sandbox in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence

from ..errors import ConfigurationError
from .app import Sandbox
from .serve import serve


def parser() -> argparse.ArgumentParser:
    """Make the parser; the options are the keywords of Sandbox."""
    made = argparse.ArgumentParser(
        prog="python -m linksfield_async.sandbox",
        description="A stand-in for the Linksfield Topup/Mall APIs on this machine.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = made.add_argument
    add("--cards", type=int, default=1_000, help="how many ICCIDs there are")
    add("--seed", type=int, default=1, help="the same seed gives the same cards and ids")
    add("--partner-code", default="P000270", help="the partner who may call")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8080, help="port to listen on; 0 takes a free one")
    add("--job-delay", type=float, default=0.3, help="seconds until a group job is done")
    add("--failure-status", type=int, default=400, help="HTTP status of refusals, e.g. 200")
    add("--latency", type=float, default=0.0, help="seconds added to each answer")
    add("--keep-requests", type=int, default=100_000, help="how many requests the log holds")
    add("--dedupe-orders", action="store_true", help="refuse an order number used before")
    add("--allow-any-host", action="store_true", help="permit a host others can reach")
    add("--notify-url", help="where recharge messages go, on this machine")
    add("--notification-key", default="sandbox notification key", help="what signs them")
    add("--notification-key-id", default="sandbox", help="the id of that key")
    add("--faults", help="TOML file of what is to go wrong")
    add("--state", help="file that keeps the state over restarts")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until Ctrl-C or SIGTERM; wrong settings end it with status 2."""
    settings = vars(parser().parse_args(arguments))
    try:
        # Where no signal handler can be set, Ctrl-C arrives as an exception; both end it well.
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(Sandbox(**settings)))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
