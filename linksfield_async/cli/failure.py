"""What a command ends with: the exit codes, and one clear line for each expected error."""

from __future__ import annotations

import enum
from typing import IO, Any

import click

from ..errors import ConfigurationError, LinksfieldError
from ..operation import Effect


class Exit(enum.IntEnum):
    """The exit codes of every command; 0 is all good."""

    FAILED = 1
    USAGE = 2
    SOME_NOT_GOOD = 3
    INTERRUPTED = 4


class Failure(click.ClickException):
    """Ends a command with one line on stderr."""

    exit_code = Exit.FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line."""
        click.echo(f"error: {self.message}", file=file, err=file is None)


class WrongUse(Failure):
    """The same, where nothing was tried because of how the command was used."""

    exit_code = Exit.USAGE


def failure_of(error: LinksfieldError, *, ask: str | None = None, done: str = "") -> Failure:
    """Say what happened and, for a change, whether it was carried out.

    `ask` is the command that tells, `done` says what was done before.
    """
    kind = WrongUse if isinstance(error, ConfigurationError) else Failure
    name = "" if isinstance(error, ConfigurationError) else f"{type(error).__name__}: "
    return kind(f"{name}{error}{_carried_out(error, ask)}{done}")


def _carried_out(error: LinksfieldError, ask: str | None) -> str:
    operation = error.operation
    if operation is None or operation.effect is Effect.READ:
        return ""
    if error.carried_out is False:
        return "; nothing was carried out"
    told = "; it is unknown whether it was carried out"
    return f"{told}: before anything else ask `{ask}`" if ask else told
