"""Kills programs at random moments; the seed of the moments is printed and can be given."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable

from bulk_program import ended
from counting_server import CountingServer

KILLS = int(os.environ.get("LINKSFIELD_TEST_KILLS", "5"))
"""The whole figure is 50; that run is made by hand."""

_FROM_THE_START = 0.2
"""Share of the kills that may also come before the first request; seconds after the start."""
_START_SECONDS = 0.8


class Killer:
    """Starts a program again and again and kills it each time."""

    def __init__(self, server: CountingServer) -> None:
        seed = os.environ.get("LINKSFIELD_TEST_SEED") or str(random.randrange(10**6))
        print(f"LINKSFIELD_TEST_SEED={seed}")  # noqa: T201 - shown where a test fails
        self._random = random.Random(seed)
        self._server = server

    def kill(self, start: Callable[[], subprocess.Popen[bytes]], times: int, span: float) -> int:
        """Kill it `times` times, up to `span` seconds after its first request.

        Gives how many of them it did not escape by ending before.
        """
        killed = 0
        for _ in range(times):
            killed += self._kill(start, span)
        return killed

    def _kill(self, start: Callable[[], subprocess.Popen[bytes]], span: float) -> bool:
        before = self._server.total
        with start() as process:
            if self._random.random() < _FROM_THE_START:
                time.sleep(self._random.uniform(0, _START_SECONDS))
            else:
                self._first_request(process, before)
                time.sleep(self._random.uniform(0, span))
            process.kill()
            out, err = process.communicate(timeout=10)
        if process.returncode >= 0:
            assert process.returncode == 0, (out, err)
        return process.returncode < 0

    def _first_request(self, process: subprocess.Popen[bytes], before: int) -> None:
        end = time.monotonic() + 30
        while self._server.total == before and process.poll() is None:
            assert time.monotonic() < end, "it sends nothing"
            time.sleep(0.005)


def finish(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Let the program end well; its stdout and stderr."""
    code, out, err = ended(process)
    assert code == 0, (code, out, err)
    return out, err
