"""Measures what the package costs on this machine: `nox -s bench`, or `-- --json FILE` with it."""

from __future__ import annotations

import argparse
import json
import os
import platform

import calls
import imports
import rate

# What the project promises of itself; a figure above it is marked, never hidden.
LIMITS = {
    "build + decode": 25.0,
    "more than aiohttp, ms": 40.0,
    "more than aiohttp, MiB": 8.0,
    "not reached of the limit, %": 10.0,
    "throttled in steady state, %": 1.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file as well")
    arguments = parser.parse_args()
    machine = f"{platform.python_implementation()} {platform.python_version()}, "
    machine += f"{platform.machine()}, {os.cpu_count()} cores"
    print(machine)
    figures = {}
    for title, unit, measure in (
        ("One SingleVerify, no network", "µs of CPU", calls.measure),
        ("Import, fresh processes", "", imports.measure),
        ("AdaptiveRate at a server that lets 200 calls/s pass, 30 s", "", rate.measure),
    ):
        print(f"\n{title}")
        for name, value in measure().items():
            figures[name] = round(value, 2)
            limit = LIMITS.get(name)
            told = (
                ""
                if limit is None
                else f"  at most {limit:g}: {'kept' if value <= limit else 'MISSED'}"
            )
            print(f"  {name:40} {value:9.2f} {unit}{told}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "figures": figures}, file, indent=2)


if __name__ == "__main__":
    main()
