"""The one table, as text for the terminal or as Markdown for the page, made from the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, Any]
Cells: TypeAlias = Sequence[str]
Block: TypeAlias = tuple[str, Cells, list[Cells]]
"""A title, the heads of the columns, and the rows."""


def blocks(figures: Figures) -> list[Block]:
    """Give everything that was measured, in the order to read it."""
    making: dict[str, Callable[[Any], Block]] = {
        "plain": lambda rows: _race("Calls to a responder on loopback", rows),
        "tls": lambda rows: _race("The same over TLS", rows),
        "growth": _growth,
        "latency": _latency,
        "steps": lambda told: _plain("One SingleVerify, no network", "µs of CPU", told),
        "imports": lambda told: _plain("Import, fresh processes, best of several", "", told),
        "memory": _memory,
        "journal": lambda told: _plain("A journal beside a bulk run", "", told),
        "beside": _beside,
        "rate": lambda told: _plain(
            "AdaptiveRate at a server that lets 200 calls/s pass, 30 s", "", told
        ),
        "promises": _promises,
    }
    return [make(figures[name]) for name, make in making.items() if figures.get(name)]


def as_text(figures: Figures) -> str:
    return "\n\n".join(_text(block) for block in blocks(figures))


def as_markdown(block: Block) -> str:
    _, heads, rows = block
    under = ["---", *("---:" for _ in heads[1:])]
    lines = [heads, under, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(block: Block) -> str:
    title, heads, rows = block
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    written = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([title, "-" * len(written[0]), *written])


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(row: Figures, name: str) -> str:
    return f"{row[name]:.2f}×" if name in row else ""


def _race(title: str, rows: list[Figures]) -> Block:
    heads = ["", "calls/s", "lowest to highest", "ratio", "CPU µs per call", "ratio", "server busy"]
    lines: list[Cells] = []
    for row in rows:
        if "missing" in row:
            lines.append([row["title"], f"needs {', '.join(row['missing'])}", *[""] * 5])
            continue
        lines.append(
            [
                row["title"],
                number(row["per_second"]),
                f"{number(row['per_second_low'])} to {number(row['per_second_high'])}",
                _ratio(row, "per_second_ratio"),
                f"{row['cpu_us']:,.1f}",
                _ratio(row, "cpu_us_ratio"),
                f"{100 * row['server_busy']:.0f} %",
            ]
        )
    return title, heads, lines


def _growth(rows: list[Figures]) -> Block:
    heads = ["at once", *dict.fromkeys(row["title"] for row in rows)]
    lines: list[Cells] = []
    for concurrency in dict.fromkeys(row["concurrency"] for row in rows):
        here = [row for row in rows if row["concurrency"] == concurrency]
        cells = [f"{number(row['per_second'])}/s, {row['cpu_us']:.0f} µs" for row in here]
        lines.append([f"{concurrency:,}", *cells])
    return "As concurrency grows: calls per second, CPU per call", heads, lines


def _latency(rows: list[Figures]) -> Block:
    heads = ["server takes, at once", "most", *dict.fromkeys(row["title"] for row in rows)]
    lines: list[Cells] = []
    for latency, concurrency in dict.fromkeys((r["latency_ms"], r["concurrency"]) for r in rows):
        here = [r for r in rows if (r["latency_ms"], r["concurrency"]) == (latency, concurrency)]
        shares = ["" if r["share"] is None else f"{100 * r['share']:.1f} %" for r in here]
        most = f"{concurrency / latency * 1000:,.0f}/s"
        lines.append([f"{latency} ms, {concurrency}", most, *shares])
    return "As the server takes its time: reached of concurrency/latency", heads, lines


def _plain(title: str, unit: str, told: Figures) -> Block:
    return title, ["", unit], [[name, number(value)] for name, value in told.items()]


def _memory(told: Figures) -> Block:
    title = f"Memory per million results, scaled up from {told['cards']:,}"
    names = {
        "nothing": "a run that keeps nothing",
        "results": "the results of verify_many, in a list",
        "outcomes": "its outcomes with them, in a list",
        "dicts": "the same answers as plain dicts, in a list",
    }
    return title, ["", "MiB"], [[text, number(told[name])] for name, text in names.items()]


def _beside(rows: list[Figures]) -> Block:
    title = "A web app in the event loop of a bulk run: what its visitors wait"
    heads = ["the app", "p50 ms", "p99 ms", "loop lag p99 ms", "calls/s of the run"]
    names = ("p50_ms", "p99_ms", "lag_p99_ms", "run_per_second")
    return title, heads, [[row["title"], *(number(row[name]) for name in names)] for row in rows]


def _promises(rows: list[Figures]) -> Block:
    lines: list[Cells] = []
    for row in rows:
        limit = f"{'at least' if row['at_least'] else 'at most'} {row['limit']:g} {row['unit']}"
        told = f"{row['value']:.3g} {row['unit']}"
        lines.append([row["what"], told, limit, "kept" if row["kept"] else "MISSED"])
    return "What the project promises of itself", ["", "measured", "promised", ""], lines
