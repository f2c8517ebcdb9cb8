"""Measures the package beside its peers: `nox -s bench`, or `nox -s bench -- --quick`.

One table on the terminal; `--json FILE` writes the figures, `--record` writes them anew to
`benchmarks/recorded.json` and the page and chart in `docs/` that are made of it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import machine
import report
from promises import judged
from sections import FULL, QUICK, SECTIONS, measured
from table import as_text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a minute and a half, less steady figures"
    )
    parser.add_argument("--only", action="append", choices=list(SECTIONS), help="may be repeated")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there as well")
    parser.add_argument("--record", action="store_true", help="write page and chart anew")
    given = parser.parse_args()
    if given.record and given.only:
        parser.error("--record needs all sections: leave out --only")
    machine.allow_many_connections()
    described, began = machine.described(), time.perf_counter()
    figures = measured(QUICK if given.quick else FULL, given.only)
    figures = {
        "machine": described | {"run": "quick" if given.quick else "full"},
        **figures,
        "promises": judged(figures),
    }
    figures["machine"]["took"] = f"{time.perf_counter() - began:.0f} s"
    print(", ".join(f"{name} {value}" for name, value in figures["machine"].items()), end="\n\n")
    print(as_text(figures))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False), encoding="utf-8")
    if given.record:
        report.record(figures)


if __name__ == "__main__":
    main()
