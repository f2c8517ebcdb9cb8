"""Makes the page and the chart from recorded figures: `python benchmarks/report.py [--check]`.

No figure on the page is typed by hand; what stands outside its marks is.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from chart import drawn
from field import CONTENDERS
from table import Cells, as_markdown, blocks

_HERE = Path(__file__).parent
RECORDED = _HERE / "recorded.json"
PAGE = _HERE.parent / "docs" / "benchmarks.md"
CHART = _HERE.parent / "docs" / "benchmarks.svg"
_MARKS = re.compile(r"(<!-- recorded -->\n).*(<!-- end of what was recorded -->)", re.DOTALL)


def page(figures: dict[str, Any], before: str) -> str:
    """Give the page with what was recorded put between its marks."""
    machine = figures["machine"]
    parts = [", ".join(f"{name} {value}" for name, value in machine.items()) + "."]
    for block in blocks(figures):
        parts += [f"### {block[0]}", as_markdown(block)]
        if block[0] == "Calls to a responder on loopback":
            called: list[Cells] = [[one.title, one.how] for one in CONTENDERS.values()]
            parts += ["How each is called:", as_markdown(("", ["", "called as"], called))]
    if not _MARKS.search(before):
        raise SystemExit(f"{PAGE} has no marks to write between")
    told = "\n" + "\n\n".join(parts) + "\n\n"
    return _MARKS.sub(lambda found: found[1] + told + found[2], before)


def record(figures: dict[str, Any]) -> None:
    """Keep the figures, and write page and chart anew."""
    RECORDED.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    CHART.write_text(drawn(figures), encoding="utf-8")


def outdated(figures: dict[str, Any]) -> list[str]:
    """Name what is not as the figures would make it."""
    before = PAGE.read_text(encoding="utf-8")
    made = {PAGE: page(figures, before), CHART: drawn(figures)}
    return [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]


def main() -> None:
    figures = json.loads(RECORDED.read_text(encoding="utf-8"))
    if "--check" not in sys.argv:
        record(figures)
    elif old := outdated(figures):
        raise SystemExit(f"out of date: {', '.join(old)}; run python benchmarks/report.py")


if __name__ == "__main__":
    main()
