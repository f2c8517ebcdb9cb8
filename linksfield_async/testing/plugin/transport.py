"""A transport that carries requests in the sandbox's thread, whatever loop they come from."""

from __future__ import annotations

import asyncio

from ...options import Options
from ...protocol import Request, Response
from ...transport.base import Limits
from ...transport.choice import transport_for
from .thread import SandboxThread


class ThreadTransport:
    """A real transport whose connections outlive the loop of a test.

    A fixture cannot close what belongs to a test's event loop: that has ended before it, or is
    run by a plugin that it does not know.
    """

    def __init__(self, thread: SandboxThread) -> None:
        self._thread = thread
        self._carrier = transport_for(Options())

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once; see `Transport`."""
        loop = asyncio.get_running_loop()  # first: where there is none, nothing must be sent
        sending = self._thread.submit(self._carrier.send(request, limits))
        return await asyncio.wrap_future(sending, loop=loop)

    def close(self) -> None:
        """Close the connections."""
        self._thread.submit(self._carrier.close()).result()
