"""What an import costs beside `import aiohttp`, in fresh processes, taken in turn."""

from __future__ import annotations

import subprocess
import sys

PROCESSES = 15
PROBE = """
import time
def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
started, before = time.perf_counter(), resident()
import {name}
print((time.perf_counter() - started) * 1000, resident() - before)
"""


def probe(name: str) -> tuple[float, float]:
    """Milliseconds and MiB of one import in a process of its own."""
    out = subprocess.run(
        [sys.executable, "-c", PROBE.format(name=name)], capture_output=True, text=True, check=True
    )
    milliseconds, mebibytes = map(float, out.stdout.split())
    return milliseconds, mebibytes


def measure(processes: int = PROCESSES) -> dict[str, float]:
    probe("aiohttp"), probe("linksfield_async.client")  # files into the page cache
    taken = [(probe("aiohttp"), probe("linksfield_async.client")) for _ in range(processes)]
    result = {}
    for index, unit in enumerate(("ms", "MiB")):
        # The best of each: what else the machine does only ever adds.
        bare = min(one[index] for one, _ in taken)
        ours = min(other[index] for _, other in taken)
        result[f"import aiohttp, {unit}"] = bare
        result[f"import linksfield_async, {unit}"] = ours
        result[f"more than aiohttp, {unit}"] = ours - bare
    return result
