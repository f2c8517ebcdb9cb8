"""One run of `verify`: what it reads, where it writes, how far it is, and how it is stopped."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext, suppress
from typing import Any

import click

from ..bulk.engine import Outcomes
from ..bulk.files.sinks import CsvSink, Record, Sink, open_sink
from ..bulk.files.sources import IccidRows, Row, read_iccids
from ..bulk.outcome import Outcome
from ..bulk.progress import Progress
from ..bulk.report.page import write_report
from ..bulk.report.statistics import Statistics
from ..client import Client
from ..errors import ConfigurationError, LinksfieldError
from ..operations import CardVerification
from .failure import Exit, Failure, WrongUse, failure_of
from .feed import beside_the_loop
from .output import count, show_json
from .session import run
from .tally import Tally, progress

_GRACE_SECONDS = 8.0
"""How long calls under way may take after the first Ctrl-C."""


class Verification:
    """A run over all rows."""

    def __init__(
        self,
        client: Client,
        rows: IccidRows,
        sink: Sink | None,
        settings: dict[str, Any],
        *,
        command: str | None,
    ) -> None:
        self._client, self._rows, self._sink = client, rows, sink
        self._settings, self._command = settings, command
        self._tally = Tally()
        self._statistics = Statistics()
        self._outcomes: Outcomes[CardVerification] | None = None
        self._interruptions = 0
        self._main: asyncio.Task[Any] | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether no row is done."""
        return self._tally.rows == 0

    def run(self) -> int:
        """Run it, and say how it ended; what was written before an error is kept and counted."""
        try:
            run(self._verify())
        except (KeyboardInterrupt, asyncio.CancelledError):
            self._interruptions = max(1, self._interruptions)
        except ConfigurationError as error:
            if not self._tally.rows:
                raise failure_of(error) from error
            raise failure_of(error, done=f"; {self._done()} before{self._go_on()}") from error
        except LinksfieldError as error:
            self._take_over_counts()
            raise failure_of(error, done=f"; {self._done()} before{self._go_on()}") from error
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise Failure(
                f"cannot write the results: {reason}; {self._done()} before{self._go_on()}"
            ) from error
        self._take_over_counts()
        if self._interruptions:
            click.echo(f"interrupted: {self._done()}{self._go_on()}", err=True)
            return Exit.INTERRUPTED
        return 0 if self._tally.all_valid else Exit.SOME_NOT_GOOD

    def show(self, out: str | None, as_json: bool, *, interrupted: bool) -> None:
        """Write the summary."""
        header = self._rows.header
        if as_json:
            show_json(self._tally.as_json(header=header, out=out, interrupted=interrupted))
        else:
            self._tally.show(header=header, out=out, to_stderr=out == "-")

    def write_report(self, path: str) -> None:
        """Write the page about the run."""
        for verdict, number in self._tally.verdicts.items():
            self._statistics.skipped(verdict, number - self._statistics.verdicts[verdict])
        account = self._client.account
        journal = self._settings["journal"]
        facts = {
            "input": self._rows.name,
            "partner": account.partner_code,
            "endpoint": account.endpoints.vshop,
            "concurrency": str(self._settings["concurrency"]),
            "journal": "none" if journal is None else journal.path,
        }
        note = None if not self._interruptions else "The run was interrupted and is not complete."
        # Checked before the run; written anew each time a journal goes on.
        write_report(
            path, self._statistics, title="Card verification", facts=facts, progress_note=note,
            force=True,
        )  # fmt: skip

    async def _verify(self) -> None:
        self._main = asyncio.current_task()
        size = self._rows.size
        with progress(size) as shown, self._stoppable():
            async with self._client, aclosing(self._source(size)) as source:

                def show(told: Progress) -> None:
                    shown.update(told, self._rows.bytes_read)
                    if self._sink is not None:
                        self._sink.flush()

                written = None if self._sink is None else self._sink.written
                self._outcomes = outcomes = self._client.verify_many(
                    self._rows if size else source,
                    **self._settings,
                    progress=show,
                    replay="unseen" if written is None else _unless(written),
                )
                async with outcomes:
                    async for outcome in outcomes:
                        self._keep(outcome)
                if self._sink is not None:
                    self._sink.flush()

    async def _source(self, size: int | None) -> AsyncGenerator[Row, None]:
        # Nobody waits for a file; for a pipe the answers under way must not wait.
        if not size:
            async with aclosing(beside_the_loop(self._rows)) as rows:
                async for row in rows:
                    yield row

    def _keep(self, outcome: Outcome[CardVerification]) -> None:
        record = self._record(outcome)
        if self._sink is not None:
            self._sink.write(record)
        self._statistics.add(outcome)
        self._tally.add(record)

    def _record(self, outcome: Outcome[CardVerification]) -> Record:
        sent = outcome.iccid if outcome.verdict != "invalid_input" else None
        row, first = outcome.row or outcome.position + 1, outcome.duplicate_of
        return Record(
            row,
            outcome.given or "",
            sent or "",
            outcome.verdict,
            outcome.reason,
            outcome.attempts,
            # Rows are numbered without gaps, blank ones included.
            None if first is None else first + row - outcome.position,
        )

    def _take_over_counts(self) -> None:
        """Count also what an earlier session decided and nobody asked to see again."""
        if self._outcomes is not None and self._settings["journal"] is not None:
            self._tally.verdicts.update(
                {
                    verdict: number - self._tally.verdicts[verdict]
                    for verdict, number in self._outcomes.progress.verdicts.items()
                }
            )

    def _done(self) -> str:
        return f"{count(self._tally.rows, 'row')} done"

    def _go_on(self) -> str:
        if self._command is not None:
            return f"; go on with: {self._command}"
        if self._settings["journal"] is not None:
            return "; the same command with the same input goes on"
        return "; with --journal a run can go on where it stopped"

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Let the first Ctrl-C stop it in good order, and the second one at once."""
        loop = asyncio.get_running_loop()
        handled: list[signal.Signals] = []
        with suppress(NotImplementedError, RuntimeError):  # not everywhere, nor in every thread
            for one in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(one, self._interrupted)
                handled.append(one)
        try:
            yield
        finally:
            for one in handled:
                loop.remove_signal_handler(one)

    def _interrupted(self) -> None:
        self._interruptions += 1
        if self._interruptions == 1 and self._outcomes is not None:
            under_way = self._outcomes.progress.in_flight
            told = f"stopping: {count(under_way, 'call')} under way; Ctrl-C again stops at once"
            click.echo(told, err=True)
            self._outcomes.stop(_GRACE_SECONDS)
        elif self._main is not None:
            self._main.cancel()


def _unless(written: Any) -> Any:
    """Want again what the results file has not, whatever the journal believes of it."""

    def wanted(position: int, row: int | None) -> bool:
        return (row or position + 1) not in written

    return wanted


def open_results(
    out: str | None, *, force: bool, resume: bool
) -> AbstractContextManager[Sink | None]:
    """Open where the results go; a file that is there is completed where a run goes on."""
    if out is None:
        return nullcontext()
    if out == "-":
        # Not closed: stdout is everybody's.
        return nullcontext(CsvSink(sys.stdout.buffer))
    return open_sink(out, force=force, resume=resume)


def stdin_rows(column: str | None) -> IccidRows:
    """Read stdin as bytes, apart from `sys.stdin`: a read that waits must not hold that up."""
    try:
        number = sys.stdin.fileno()
    except io.UnsupportedOperation:
        return read_iccids(sys.stdin.buffer, column)
    return read_iccids(open(number, "rb", closefd=False), column)


def refuse_own_input(rows: IccidRows, out: str | None) -> None:
    """Refuse to write into the file that is read: it would be lost, or never end."""
    if out is None or rows.status is None or not stat.S_ISREG(rows.status.st_mode):
        return
    try:
        target = os.fstat(sys.stdout.fileno()) if out == "-" else os.stat(out)
    except (FileNotFoundError, io.UnsupportedOperation):
        return
    if os.path.samestat(rows.status, target):
        raise WrongUse("the results would be written into the file that is read")
