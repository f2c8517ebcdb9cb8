"""One contender in a process of its own: `python worker.py NAME URL CONCURRENCY [CA_FILE]`.

It says what it can do, then reads lines: `once` makes a single call, a number measures for about so
many seconds, and the end of the input ends it. Each is answered with one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

from driving import Calls
from field import CONTENDERS
from work import Target

_WARM_SECONDS = 0.15


def _server_cpu(target: Target) -> float:
    """Seconds of CPU that the responder has used so far."""
    with urllib.request.urlopen(target.url, context=target.tls()) as answer:
        return float(answer.read())


def _warmed(calls: Calls, concurrency: int) -> float:
    """Call until what runs for the first time has run; gives calls per second."""
    began, count, batch = time.perf_counter(), 0, concurrency
    while True:
        started = time.perf_counter()
        calls(batch)
        now = time.perf_counter()
        if now - began > _WARM_SECONDS and count:
            return batch / (now - started)
        count += batch
        batch *= 2 if now - started < _WARM_SECONDS / 2 else 1


def _measured(calls: Calls, target: Target, seconds: float) -> dict[str, Any]:
    rate = _warmed(calls, target.concurrency)
    # Whole rounds of all connections, so that none stands idle at the end for long.
    count = max(1, round(rate * seconds / target.concurrency)) * target.concurrency
    server = _server_cpu(target)
    began, cpu = time.perf_counter(), time.process_time()
    calls(count)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "calls": count,
        "per_second": count / took,
        "cpu_us": cpu / count * 1e6,
        "server_busy": (_server_cpu(target) - server) / took,
    }


def main(name: str, url: str, concurrency: str, ca_file: str = "") -> None:
    target = Target(url, int(concurrency), ca_file or None)
    with CONTENDERS[name].open(target) as calls:
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            if line.strip() == "once":
                calls(1)
                print(json.dumps("done"), flush=True)
            else:
                print(json.dumps(_measured(calls, target, float(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
