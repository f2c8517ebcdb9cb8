"""Draws the figures as an SVG by hand: the race, what concurrency costs, and what latency takes."""

from __future__ import annotations

import math
from html import escape
from typing import Any, TypeAlias

from peers import BASELINE

Figures: TypeAlias = dict[str, Any]

_WIDTH, _LEFT, _RIGHT, _ROW = 960, 256, 716, 34
_TOP = 132
_PANEL = 300
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2937 }
.paper { fill: #ffffff; stroke: #e5e7eb } .grid { stroke: #e5e7eb } .axis { stroke: #9ca3af }
.title { font-size: 19px; font-weight: 650 } .head { font-size: 14px; font-weight: 600 }
.dim { fill: #6b7280; font-size: 12px } .end { text-anchor: end } .mid { text-anchor: middle }
.strong { font-weight: 600 } .spread { stroke: #111827; stroke-opacity: .55 }
.ours { fill: #2563eb } .base { fill: #d97706 } .other { fill: #94a3b8 } .floor { fill: #cbd5e1 }
.second { fill: #0d9488 } .tls { fill-opacity: .5 }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
.line.ours { stroke: #2563eb } .line.base { stroke: #d97706 } .line.second { stroke: #0d9488 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .dim { fill: #9ca3af }
  .paper { fill: #0d1117; stroke: #30363d } .grid { stroke: #262c36 } .axis { stroke: #6b7280 }
  .spread { stroke: #f9fafb }
  .ours { fill: #60a5fa } .base { fill: #fbbf24 } .other { fill: #64748b } .floor { fill: #3f4b5c }
  .second { fill: #2dd4bf }
  .line { fill: none }
  .line.ours { stroke: #60a5fa } .line.base { stroke: #fbbf24 } .line.second { stroke: #2dd4bf }
}
"""
_SERIES = {
    "verify_many direct asyncio": ("ours", "verify_many"),
    "send direct asyncio": ("second", "send"),
    BASELINE: ("base", "aiohttp by hand"),
    "raw uvloop": ("floor", "raw sockets"),
}


def drawn(figures: Figures) -> str:
    """Give the whole picture."""
    rows = [row for row in figures["plain"] if _shown(row)]
    rows.sort(key=lambda row: -row["per_second"])
    tls = {row["name"]: row for row in figures["tls"] if "per_second" in row}
    below = _TOP + _ROW * len(rows) + 42
    height = below + _PANEL + 24
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(_told(rows))}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1}" rx="10"/>',
        *_heading(figures["machine"]),
        *_race(rows, tls),
        *_growth(figures["growth"], 24, below, 440),
        *_latency(figures["latency"], 500, below, 436),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _shown(row: Figures) -> bool:
    return "per_second" in row and row["concurrency"] == 64 and row["name"] != "ceiling"


def _told(rows: list[Figures]) -> str:
    said = ", ".join(f"{row['title']} {row['per_second']:,.0f}" for row in rows)
    return f"Calls per second, 64 at once: {said}"


def _text(x: float, y: float, said: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(said)}</text>'


def _bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
        f'height="{height:.1f}" rx="2"/>'
    )


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _heading(machine: Figures) -> list[str]:
    where = " · ".join(
        [
            machine["processor"],
            f"{machine['cores']} cores",
            machine["python"],
            f"aiohttp {machine['aiohttp']}",
            machine["date"],
        ]
    )
    keys = [("ours", "linksfield_async"), ("base", "aiohttp by hand"), ("other", "others")]
    keys += [("floor", "raw sockets, the floor")]
    parts = [
        _text(24, 36, "A signed POST and its decoded answer, 64 at once", "title"),
        _text(24, 58, f"client and server on one machine, over loopback · {where}", "dim"),
    ]
    x = 24.0
    for kind, said in keys:
        parts += [_bar(x, 73, 12, 12, kind), _text(x + 18, 84, said, "dim")]
        x += 34 + 7 * len(said)
    parts += [_bar(x, 73, 12, 12, "other tls"), _text(x + 18, 84, "the same with TLS", "dim")]
    return parts


def _kind(row: Figures) -> str:
    if row["ours"]:
        return "ours"
    if row["name"].startswith("raw"):
        return "floor"
    return "base" if row["name"].startswith("aiohttp") else "other"


def _race(rows: list[Figures], tls: dict[str, Figures]) -> list[str]:
    most = max(row["per_second_high"] for row in rows) * 1.08
    step = _nice(most / 7)
    bottom = _TOP + _ROW * len(rows)
    parts: list[str] = []
    for index in range(int(most / step) + 1):
        x = _LEFT + (_RIGHT - _LEFT) * index * step / most
        parts.append(_rule(x, _TOP - 6, x, bottom, "grid" if index else "axis"))
        parts.append(_text(x, _TOP - 12, f"{index * step / 1000:g}k" if index else "0", "dim mid"))
    for x, said in ((_LEFT - 12, "calls per second"), (840, "× aiohttp"), (936, "CPU µs/call")):
        parts.append(_text(x, _TOP - 12, said, "dim end"))
    for index, row in enumerate(rows):
        parts += _lane(row, tls.get(row["name"]), _TOP + index * _ROW, most)
    return parts


def _lane(row: Figures, secure: Figures | None, y: float, most: float) -> list[str]:
    kind, scale = _kind(row), (_RIGHT - _LEFT) / most
    strong = " strong" if kind in ("ours", "base") else ""
    low, high = (_LEFT + row[f"per_second_{end}"] * scale for end in ("low", "high"))
    parts = [
        _text(_LEFT - 12, y + 20, row["title"], f"end{strong}"),
        _bar(_LEFT, y + 5, row["per_second"] * scale, 13, kind),
        _rule(low, y + 11.5, high, y + 11.5, "spread"),
        _text(high + 7, y + 16, f"{row['per_second']:,.0f}", f"dim{strong}"),
        _text(936, y + 20, f"{row['cpu_us']:,.0f}", f"end{strong}"),
    ]
    if secure is not None:
        parts.append(_bar(_LEFT, y + 20, secure["per_second"] * scale, 7, f"{kind} tls"))
    if "per_second_ratio" in row:
        parts.append(_text(840, y + 20, f"{row['per_second_ratio']:.2f}", f"end{strong}"))
    return parts


def _nice(rough: float) -> float:
    size: float = 10 ** math.floor(math.log10(rough))
    return next(size * part for part in (1, 2, 5, 10) if size * part >= rough)


def _legend(names: list[str], x: float, y: float) -> list[str]:
    parts: list[str] = []
    for name in names:
        kind, said = _SERIES[name]
        parts += [_bar(x, y - 10, 12, 12, kind), _text(x + 18, y, said, "dim")]
        x += 36 + 6.6 * len(said)
    return parts


def _growth(rows: list[Figures], x: float, y: float, width: float) -> list[str]:
    names = list(dict.fromkeys(row["name"] for row in rows))
    levels = list(dict.fromkeys(row["concurrency"] for row in rows))
    parts = [_text(x, y + 14, "CPU per call as concurrency grows, µs", "head")]
    parts += _legend(names, x, y + 40)
    left, right, top, bottom = x + 34, x + width - 26, y + 60, y + _PANEL - 40
    most = max(row["cpu_us"] for row in rows) * 1.1
    step = _nice(most / 4)
    for index in range(int(most / step) + 1):
        at = bottom - (bottom - top) * index * step / most
        parts.append(_rule(left, at, right, at, "grid" if index else "axis"))
        parts.append(_text(left - 8, at + 4, f"{index * step:g}", "dim end"))
    places = {
        level: left + 24 + (right - left - 48) * index / max(1, len(levels) - 1)
        for index, level in enumerate(levels)
    }
    for level, place in places.items():
        parts.append(_text(place, bottom + 20, f"{level:,}", "dim mid"))
    parts.append(_text((left + right) / 2, bottom + 38, "calls under way at once", "dim mid"))
    for name in names:
        kind = _SERIES[name][0]
        points = [
            (places[row["concurrency"]], bottom - (bottom - top) * row["cpu_us"] / most)
            for row in rows
            if row["name"] == name
        ]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline class="line {kind}" points="{line}"/>')
        parts += [f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="4"/>' for a, b in points]
    return parts


def _latency(rows: list[Figures], x: float, y: float, width: float) -> list[str]:
    rows = [row for row in rows if row["share"] is not None]
    names = [name for name in _SERIES if any(row["name"] == name for row in rows)]
    groups = list(dict.fromkeys((row["latency_ms"], row["concurrency"]) for row in rows))
    parts = [_text(x, y + 14, "Reached of concurrency/latency, by server latency", "head")]
    parts += _legend(names, x, y + 40)
    left, right, top, bottom = x + 40, x + width, y + 60, y + _PANEL - 40
    for percent in (0, 25, 50, 75, 100):
        at = bottom - (bottom - top) * percent / 100
        parts.append(_rule(left, at, right, at, "grid" if percent else "axis"))
        parts.append(_text(left - 8, at + 4, f"{percent} %", "dim end"))
    span = (right - left) / len(groups)
    for index, (latency, concurrency) in enumerate(groups):
        start, middle = left + span * index, left + span * (index + 0.5)
        most = concurrency / latency * 1000
        parts.append(_text(middle, bottom + 20, f"{latency} ms · {concurrency}", "dim mid"))
        parts.append(_text(middle, bottom + 38, f"{most:,.0f}/s", "dim mid"))
        here = [r for r in rows if (r["latency_ms"], r["concurrency"]) == (latency, concurrency)]
        wide = (span - 24) / len(names)
        for row in here:
            place = start + 12 + wide * names.index(row["name"])
            tall = (bottom - top) * min(1, row["share"])
            parts.append(_bar(place, bottom - tall, wide - 3, tall, _SERIES[row["name"]][0]))
    return parts
