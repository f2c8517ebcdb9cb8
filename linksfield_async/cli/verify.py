"""`verify`: any number of cards, from a file or a pipe."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import IO

import attrs
import click

from ..bulk.outcome import Outcome
from ..bulk.sinks import CsvSink, Record, Sink, check_ending, open_sink
from ..bulk.sources import IccidRows, Row, read_iccids
from ..client import Client
from ..errors import ConfigurationError, LinksfieldError
from ..operations import CardVerification
from .failure import Exit, Failure, WrongUse, failure_of
from .feed import beside_the_loop
from .output import count, show_json
from .session import Session, json_option, pass_session, run
from .tally import Tally, progress

_CONNECTIONS = 100


@click.command()
@click.argument("file")
@click.option("--column", metavar="NAME", help="The column that holds the ICCIDs.")
@click.option("--out", metavar="FILE", help="Where to, .csv or .jsonl; - is stdout, as CSV.")
@click.option("--force", is_flag=True, help="Overwrite the file that --out names.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    default=64,
    show_default=True,
    help="Calls under way at a time.",
)
@json_option
@pass_session
def verify(
    session: Session,
    *,
    file: str,
    column: str | None,
    out: str | None,
    force: bool,
    concurrency: int,
    as_json: bool,
) -> None:
    """Verify the cards of FILE; `-` reads stdin.

    FILE is a CSV table, or a text with one ICCID in each line, in UTF-8. What is no ICCID, a
    number that a spreadsheet rounded say, is reported by its row and not sent.

    Without --out the results go to stdout as CSV, and the summary to stderr; where stdout is a
    terminal, or with --json, only the summary is written, with the first rows not valid. Results
    come as they become known, not in the order of the rows; those written are kept whatever
    happens. Columns: row, given, iccid, verdict, reason, attempts. Verdicts: valid, refused,
    invalid_input, failed, unknown.
    """
    if out is None and not as_json and not sys.stdout.isatty():
        out = "-"
    if out == "-" and as_json:
        raise click.UsageError("--json writes the summary to stdout: name a file with --out")
    if out not in (None, "-"):
        check_ending(out)
    with read_iccids(_stdin() if file == "-" else file, column) as rows:
        client = session.client(connections=max(_CONNECTIONS, concurrency))
        _refuse_own_input(rows, out)
        with _sink(out, force=force) as sink:
            job = _Run(rows, sink, Tally(), concurrency)
            ended = _ended(client, job)
    _show(job, out, interrupted=ended == Exit.INTERRUPTED, as_json=as_json)
    click.get_current_context().exit(ended)


def _show(job: _Run, out: str | None, *, interrupted: bool, as_json: bool) -> None:
    header = job.rows.header
    if as_json:
        show_json(job.tally.as_json(header=header, out=out, interrupted=interrupted))
    else:
        job.tally.show(header=header, out=out, to_stderr=out == "-")


@attrs.frozen
class _Run:
    """One run over all rows: what it reads, where it writes, and how far it is."""

    rows: IccidRows
    sink: Sink | None
    tally: Tally
    concurrency: int

    async def verify(self, client: Client) -> None:
        """Send every row and write what became of it."""
        # Only the rows under way are kept: an outcome names its place in the source alone.
        under_way: dict[int, Row] = {}
        size = self.rows.size
        with progress(size) as shown:
            async with client, aclosing(self._taken(under_way, size)) as iccids:
                outcomes = client.verify_many(iccids, concurrency=self.concurrency)
                async with aclosing(outcomes):
                    async for outcome in outcomes:
                        self._keep(_record(under_way.pop(outcome.position), outcome))
                        shown.update(self.tally, self.rows.bytes_read)

    async def _taken(
        self, under_way: dict[int, Row], size: int | None
    ) -> AsyncGenerator[str, None]:
        position = 0
        # Nobody waits for a file; for a pipe the answers under way must not wait.
        async with aclosing(_at_once(self.rows) if size else beside_the_loop(self.rows)) as rows:
            async for row in rows:
                under_way[position] = row
                position += 1
                yield row.given

    def _keep(self, record: Record) -> None:
        if self.sink is not None:
            self.sink.write(record)
        self.tally.add(record)


async def _at_once(rows: Iterator[Row]) -> AsyncGenerator[Row, None]:
    for row in rows:
        yield row


def _record(row: Row, outcome: Outcome[CardVerification]) -> Record:
    sent = outcome.iccid if outcome.verdict != "invalid_input" else None
    return Record(
        row.number, row.given, sent or "", outcome.verdict, outcome.reason, outcome.attempts
    )


def _ended(client: Client, job: _Run) -> int:
    """Run it, and say how it ended; what was written before an error is kept and counted."""
    tally = job.tally
    try:
        run(job.verify(client))
    except KeyboardInterrupt:
        click.echo(f"interrupted: {count(tally.rows, 'row')} done", err=True)
        return Exit.INTERRUPTED
    except LinksfieldError as error:
        raise failure_of(error, done=f"; {count(tally.rows, 'row')} done before") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(
            f"cannot write the results: {reason}; {count(tally.rows, 'row')} done before"
        ) from error
    return 0 if tally.all_valid else Exit.SOME_NOT_GOOD


def _sink(out: str | None, *, force: bool) -> AbstractContextManager[Sink | None]:
    if out is None:
        return nullcontext()
    if out == "-":
        # Not closed: stdout is everybody's.
        return nullcontext(CsvSink(sys.stdout.buffer))
    try:
        return open_sink(out, force=force)
    except ConfigurationError as error:
        hint = "; --force overwrites it" if isinstance(error.__cause__, FileExistsError) else ""
        raise WrongUse(f"{error}{hint}") from error


def _stdin() -> IO[bytes]:
    """Give stdin as bytes, apart from `sys.stdin`: a read that waits must not hold that up."""
    try:
        number = sys.stdin.fileno()
    except io.UnsupportedOperation:
        return sys.stdin.buffer
    return open(number, "rb", closefd=False)


def _refuse_own_input(rows: IccidRows, out: str | None) -> None:
    """Refuse to write into the file that is read: it would be lost, or never end."""
    if out is None or rows.status is None or not stat.S_ISREG(rows.status.st_mode):
        return
    try:
        target = os.fstat(sys.stdout.fileno()) if out == "-" else os.stat(out)
    except (FileNotFoundError, io.UnsupportedOperation):
        return
    if os.path.samestat(rows.status, target):
        raise WrongUse("the results would be written into the file that is read")
