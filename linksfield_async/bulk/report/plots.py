"""Draws statistics as SVG, to stand inside a page that brings the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import attrs

from ..progress import VERDICTS
from .statistics import Latency, Statistics, Step
from .wording import number, rate, seconds, share, tick

LABELS = {
    "valid": "Valid",
    "refused": "Refused",
    "invalid_input": "Invalid input",
    "failed": "Failed",
    "unknown": "Unknown",
}
QUANTILES = (0.5, 0.9, 0.99)

_NARROW = 520
_TIME_UNITS = (
    (1e-3, 1000.0, "milliseconds"),
    (1.0, 180.0, "seconds"),
    (60.0, 180.0, "minutes"),
    (3600.0, math.inf, "hours"),
)


@attrs.frozen
class _Frame:
    """Where the drawing is inside a picture, pixels."""

    width: int
    height: int
    left: float = 56
    right: float = 14
    top: float = 40
    bottom: float = 44

    def x(self, part: float) -> float:
        return self.left + part * (self.width - self.left - self.right)

    def y(self, part: float) -> float:
        """Pixels down for a part of the height above the base line."""
        return self.height - self.bottom - part * (self.height - self.top - self.bottom)

    @property
    def base(self) -> float:
        return self.y(0)


def throughput(statistics: Statistics, width: int) -> str:
    """Draw cards per second over time, undecided ones in a second colour; empty without time."""
    steps = statistics.throughput.steps(60 if width < _NARROW else 120)
    if not steps:
        return ""
    frame = _Frame(width, 256, top=38)
    until = steps[-1].end
    unit, _, named = next(row for row in _TIME_UNITS if until / row[0] < row[1])
    high = max(step.decided + step.undecided for step in steps)
    ticks = _ticks(high)
    top = ticks[-1]
    parts = [_grid(frame, ticks), _label(frame, "cards per second")]
    times = _ticks(until / unit, 4 if width < _NARROW else 8, beyond=False)
    parts += [_mark(frame, at * unit / until, tick(at)) for at in times]
    parts += [
        _area(frame, steps, [(0.0, step.undecided / top) for step in steps], "undecided"),
        _area(
            frame,
            steps,
            [(step.undecided / top, (step.decided + step.undecided) / top) for step in steps],
            "decided",
        ),
        _axis(frame, f"{named} since the session began"),
        _legend(frame, (("undecided", "failed or unknown"), ("decided", "decided"))),
    ]
    mean = rate(statistics.throughput.per_second() or 0.0)
    told = (
        f"Cards: {number(statistics.throughput.total)} in {seconds(statistics.throughput.until)}: "
        f"{mean} per second on average, {rate(high)} at most, "
        f"{rate(max(step.undecided for step in steps))} at most of them failed or unknown."
    )
    return _svg(frame, f"throughput-{width}", "Throughput over time", told, parts)


def latency(histogram: Latency, width: int) -> str:
    """Draw how long calls took on a logarithmic axis, with quantiles; empty without calls."""
    if not histogram.total:
        return ""
    low, high = _decades(histogram)
    span = math.log10(high / low)
    frame = _Frame(width, 300, top=92)
    bucket = (frame.x(1) - frame.x(0)) / (span * histogram.PER_DECADE)
    bars = _bars(histogram, next((some for some in (1, 2, 5) if some * bucket >= 7), 10))
    ticks = _ticks(max(count for _, _, count in bars), whole=True)

    def place(value: float) -> float:
        return min(math.log10(max(value, low) / low) / span, 1.0)

    parts = [_grid(frame, ticks), _label(frame, "cards")]
    for start, end, count in bars:
        left, right = frame.x(place(start)), frame.x(place(end))
        y = min(frame.y(count / ticks[-1]), frame.base - 1)  # a bar of few is still to be seen
        parts.append(
            f'<rect class="decided" x="{left:.1f}" y="{y:.1f}" '
            f'width="{max(right - left - 1, 0.8):.1f}" height="{frame.base - y:.1f}"/>'
        )
    parts += [_mark(frame, place(at), seconds(at)) for at in _log_ticks(low, high, width)]
    told = []
    for row, wanted in enumerate(QUANTILES):
        value = histogram.quantile(wanted) or 0.0
        told.append(f"p{wanted * 100:.0f} {seconds(value)}")
        parts.append(_flag(frame, place(value), 26 + 18 * row, told[-1]))
    parts.append(_axis(frame, "time per card, waiting and repeats included (logarithmic)"))
    told.append(f"longest {seconds(histogram.longest)}.")
    return _svg(frame, f"latency-{width}", "Latency distribution", ", ".join(told), parts)


def verdicts(statistics: Statistics, width: int) -> str:
    """Draw a bar for each verdict, with its count."""
    frame = _Frame(width, 34 * len(VERDICTS) + 4, left=104, right=128)
    most = max(1, *(statistics.verdicts[verdict] for verdict in VERDICTS))
    parts, told = [], []
    for place, verdict in enumerate(VERDICTS):
        count, middle = statistics.verdicts[verdict], 34 * place + 19
        length = max(frame.x(count / most) - frame.left, 2.0 if count else 0.0)
        shown = f"{number(count)}  ({share(count, statistics.total)})"
        told.append(f"{LABELS[verdict]}: {shown}")
        parts.append(
            f'<text class="name" x="0" y="{middle + 4}">{LABELS[verdict]}</text>'
            f'<rect class="{verdict}" x="{frame.left}" y="{middle - 9}" width="{length:.1f}" '
            f'height="18" rx="2"/>'
            f'<text class="value" x="{frame.left + length + 9:.1f}" y="{middle + 4}">'
            f"{escape(number(count))}"
            f'<tspan class="soft" dx="8">{escape(share(count, statistics.total))}</tspan></text>'
        )
    return _svg(frame, f"verdicts-{width}", "Verdicts", "; ".join(told), parts)


def _svg(frame: _Frame, name: str, title: str, told: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width} {frame.height}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(told)}</desc>{"".join(parts)}</svg>'
    )


def _grid(frame: _Frame, ticks: Sequence[float]) -> str:
    lines = []
    for value in ticks:
        y = frame.y(value / ticks[-1])
        lines.append(
            f'<line class="grid" x1="{frame.left}" x2="{frame.x(1):.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick end" x="{frame.left - 8}" y="{y + 4:.1f}">'
            f"{tick(value)}</text>"
        )
    return "".join(lines)


def _label(frame: _Frame, text: str) -> str:
    return f'<text class="tick" x="0" y="{frame.top - 24}">{text}</text>'


def _mark(frame: _Frame, part: float, text: str) -> str:
    x = frame.x(part)
    return (
        f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.base}" y2="{frame.base + 5}"/>'
        f'<text class="tick middle" x="{x:.1f}" y="{frame.base + 18}">{escape(text)}</text>'
    )


def _axis(frame: _Frame, text: str) -> str:
    return (
        f'<line class="axis" x1="{frame.left}" x2="{frame.x(1):.1f}" '
        f'y1="{frame.base}" y2="{frame.base}"/>'
        f'<text class="tick end" x="{frame.x(1):.1f}" y="{frame.base + 37}">{text}</text>'
    )


def _flag(frame: _Frame, part: float, y: float, text: str) -> str:
    x = frame.x(part)
    side, at = (" end", x - 6) if part > 0.7 else ("", x + 6)
    return (
        f'<line class="quantile" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10}" y2="{frame.base}"/>'
        f'<text class="value{side}" x="{at:.1f}" y="{y}">{escape(text)}</text>'
    )


def _legend(frame: _Frame, entries: Sequence[tuple[str, str]]) -> str:
    drawn, x = [], float(frame.width - frame.right)
    for style, text in entries:
        x -= 6.6 * len(text)
        drawn.append(
            f'<rect class="{style}" x="{x - 17:.1f}" y="4" width="11" height="11" rx="2"/>'
            f'<text class="tick" x="{x:.1f}" y="14">{text}</text>'
        )
        x -= 34
    return "".join(drawn)


def _area(
    frame: _Frame, steps: Sequence[Step], heights: Sequence[tuple[float, float]], style: str
) -> str:
    """Draw stairs between a lower and an upper line."""
    if all(low == high for low, high in heights):
        return ""
    until = steps[-1].end
    edges = [
        (frame.x(step.start / until), frame.x(step.end / until), frame.y(low), frame.y(high))
        for step, (low, high) in zip(steps, heights, strict=True)
    ]
    there = [f"{start:.1f} {high:.1f}L{end:.1f} {high:.1f}" for start, end, _, high in edges]
    back = [f"{end:.1f} {low:.1f}L{start:.1f} {low:.1f}" for start, end, low, _ in edges[::-1]]
    return f'<path class="{style}" d="M{"L".join((*there, *back))}Z"/>'


def _ticks(high: float, about: int = 5, *, beyond: bool = True, whole: bool = False) -> list[float]:
    """Give round values from 0 up to `high`, or to the next one `beyond` it."""
    raw = max(high, 1e-9) / about
    decade = 10.0 ** math.floor(math.log10(raw))
    step = next(decade * nice for nice in (1, 2, 2.5, 5, 10) if decade * nice >= raw * 0.999)
    if whole:
        step = max(1.0, math.ceil(step) if step < 5 else step)
    count = high / step
    last = math.ceil(count - 1e-9) if beyond else math.floor(count + 1e-9)
    return [place * step for place in range(max(last, 1 if beyond else 0) + 1)]


def _decades(histogram: Latency) -> tuple[float, float]:
    """Give round ends of an axis around what was measured."""
    low, high = (min(max(s, 1e-4), 1e3) for s in (histogram.shortest, histogram.longest))
    nice = [10.0**decade * part for decade in range(-5, 5) for part in (1, 2, 5)]
    return (
        max(one for one in nice if one <= low * 0.95),
        min(one for one in nice if one >= high * 1.05),
    )


def _log_ticks(low: float, high: float, width: int) -> list[float]:
    parts = (1, 2, 5) if math.log10(high / low) < (2.4 if width < _NARROW else 4.5) else (1,)
    first = math.floor(math.log10(low))
    found = [10.0**decade * part for decade in range(first, first + 9) for part in parts]
    return [one for one in found if low * 0.999 <= one <= high * 1.001]


def _bars(histogram: Latency, together: int) -> list[tuple[float, float, int]]:
    """Give start and end in seconds and the count of each bar that is not empty."""
    counts = histogram.counts
    bars = []
    for first in range(0, len(counts), together):
        count = sum(counts[first : first + together])
        if count:
            bars.append((histogram.edge(first), histogram.edge(first + together), count))
    return bars
