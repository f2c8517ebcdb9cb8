"""What a transport is: one method that sends one request once and tells the truth about it."""

from __future__ import annotations

from typing import Protocol

import attrs

from ..protocol import Request, Response


@attrs.frozen
class Limits:
    """How long and how much one attempt may take; seconds and bytes."""

    deadline: float
    """Left for the attempt, waiting for a connection included."""
    connect: float
    read: float
    max_answer_bytes: int


class Transport(Protocol):
    """Bring your own to a Client; one that is passed in is closed by whoever made it."""

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once, never again behind the caller's back, and read the answer.

        Raises NotSent (ConnectFailed, TLSFailed, DeadlineExceeded) only where it is proved that
        no byte left, BadAnswer for an answer that breaks a limit, OutcomeUnknown otherwise.
        """
        ...


class OwnTransport(Transport, Protocol):
    """A transport that a client made for itself, and closes."""

    async def close(self) -> None:
        """End what is under way and close all connections; twice does nothing."""
        ...
