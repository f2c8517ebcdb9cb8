"""`verify`: any number of cards, from a file or a pipe, through crashes."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ..bulk.files.sinks import check_ending
from ..bulk.files.sources import IccidRows, read_iccids
from ..bulk.journal.settings import Journal
from ..bulk.report.page import check_report_path
from ..bulk.stopping import StopRules
from ..errors import ConfigurationError
from ..resilience.pace import AdaptiveRate
from .checking import Check, input_check
from .failure import Exit, WrongUse
from .output import show_json
from .session import Session, auto_or, json_option, pass_session
from .verifying import Verification, open_results, refuse_own_input, stdin_rows

_KEY = "LINKSFIELD_JOURNAL_KEY"
_CONNECTIONS = 100
_MOST_CONNECTIONS = 1024


@click.command()
@click.argument("file")
@click.option("--column", metavar="NAME", help="The column that holds the ICCIDs.")
@click.option("--out", metavar="FILE", help="Where to: .csv, .jsonl, .parquet; - is stdout.")
@click.option("--force", is_flag=True, help="Overwrite what --out and --report name.")
@click.option("--journal", metavar="FILE", help="Keep what is decided; the same one goes on.")
@click.option(
    "--rate",
    type=auto_or(click.FloatRange(min=0, min_open=True), "auto|calls/s"),
    help="Calls per second at most; auto finds what the service bears.",
)
@click.option(
    "--concurrency",
    type=auto_or(click.IntRange(1, 10_000), "auto|N"),
    default=64,
    show_default=True,
    help="Calls under way at most; auto finds it.",
)
@click.option(
    "--order",
    type=click.Choice(["completion", "input"]),
    default="completion",
    show_default=True,
    help="Of the results; in that of the input each waits for those before it.",
)
@click.option("--report", metavar="FILE", help="Write a page about the run, .html.")
@click.option("--check", is_flag=True, help="Only look at the input; nothing is sent.")
@click.option("--keep-going", is_flag=True, help="Do not stop however many fail.")
@json_option
@pass_session
def verify(session: Session, /, *, file: str, as_json: bool, **given: Any) -> None:
    """Verify the cards of FILE; `-` reads stdin.

    FILE is a CSV table, a text with one ICCID in each line, JSON lines, any of these compressed
    with gzip, or a Parquet table. What is no ICCID, a number that a spreadsheet rounded say, is
    reported by its row and not sent; a card that stands there twice is sent once and reported
    twice.

    Without --out the results go to stdout as CSV, and the summary to stderr; where stdout is a
    terminal, or with --json, only the summary is written, with the first rows not valid.

    With --journal a run that broke off goes on when the same command is given again: what is
    decided is not asked again, what failed is, and the results file is completed. The
    environment's LINKSFIELD_JOURNAL_KEY hides the ICCIDs in it. The run stops by itself when
    more than 20 % of the last 1,000 fail, or when the first 100 are all refused alike.

    Ctrl-C lets the calls under way be answered; a second one stops at once.
    """
    options = _Options(session, given, file=file, as_json=as_json)
    with ExitStack() as stack:
        rows = stack.enter_context(stdin_rows(given["column"]) if file == "-" else _rows(options))
        if given["check"]:
            ended = _show_check(input_check(rows), as_json=as_json)
        else:
            ended = _verified(options, rows, stack)
    click.get_current_context().exit(ended)


class _Options:
    """What was asked for, put together."""

    def __init__(
        self, session: Session, given: dict[str, Any], *, file: str, as_json: bool
    ) -> None:
        self.session, self.given, self.file, self.as_json = session, given, file, as_json
        out: str | None = given["out"]
        if out is None and not as_json and not given["check"] and not _is_terminal():
            out = "-"
        if out == "-" and as_json:
            raise click.UsageError("--json writes the summary to stdout: name a file with --out")
        if out not in (None, "-"):
            check_ending(out)
        if given["report"] is not None:
            if Path(given["report"]).suffix.lower() not in (".html", ".htm"):
                raise click.UsageError("--report names a page: it must end in .html")
            check_report_path(given["report"], force=given["force"] or self.is_resumed)
        self.out = out

    @property
    def is_resumed(self) -> bool:
        """Whether there is a run to go on with."""
        journal = self.given["journal"]
        return journal is not None and Path(journal).exists()

    @property
    def settings(self) -> dict[str, Any]:
        """Give what the run is to be told."""
        journal = self.given["journal"]
        return {
            "concurrency": self.given["concurrency"],
            "order": self.given["order"],
            "journal": None if journal is None else Journal(journal, key=os.environ.get(_KEY)),
            "stop": None if self.given["keep_going"] else StopRules(),
        }

    @property
    def client_options(self) -> dict[str, Any]:
        """Give what the client is to be told."""
        concurrency, rate = self.given["concurrency"], self.given["rate"]
        most = _MOST_CONNECTIONS if concurrency == "auto" else 2 * concurrency
        return {
            "connections": max(_CONNECTIONS, most),
            "rate": AdaptiveRate() if rate == "auto" else rate,
        }


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _rows(options: _Options) -> IccidRows:
    return read_iccids(options.file, options.given["column"])


def _verified(options: _Options, rows: IccidRows, stack: ExitStack) -> int:
    client = options.session.client(**options.client_options)
    refuse_own_input(rows, options.out)
    is_new = options.out not in (None, "-") and not os.path.exists(str(options.out))
    try:
        sink = open_results(options.out, force=options.given["force"], resume=options.is_resumed)
    except ConfigurationError as error:
        hint = "; --force overwrites it" if isinstance(error.__cause__, FileExistsError) else ""
        raise WrongUse(f"{error}{hint}") from error
    verification = Verification(
        client,
        rows,
        stack.enter_context(sink),
        options.settings,
        command=_again(options),
    )
    try:
        ended = verification.run()
    except WrongUse:
        if is_new and verification.is_untouched and options.out is not None:
            os.unlink(options.out)  # nothing came of it: it must not stand in the way
        raise
    verification.show(options.out, options.as_json, interrupted=ended == Exit.INTERRUPTED)
    if options.given["report"] is not None:
        verification.write_report(options.given["report"])
    return ended


def _again(options: _Options) -> str | None:
    """Give the command that goes on with this run; None where none can."""
    if options.given["journal"] is None or options.file == "-":
        return None
    words = ["linksfield verify", options.file, "--journal", options.given["journal"]]
    for name in ("out", "column"):
        if options.given[name] is not None:
            words += [f"--{name}", options.given[name]]
    return " ".join(words)


def _show_check(found: Check, *, as_json: bool) -> int:
    if as_json:
        show_json(found.as_json())
    else:
        found.show()
    return 0 if found.is_clean else Exit.SOME_NOT_GOOD
