"""Numbers and times as a report words them."""

from __future__ import annotations


def number(value: int) -> str:
    """Write a count, thousands apart."""
    return f"{value:,}"


def rate(value: float) -> str:
    """Write a number with three figures, or all of those before its point."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.3g}"


def tick(value: float) -> str:
    """Write a number on an axis, short."""
    for unit, sign in ((1e9, "G"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:,g}{sign}"
    return f"{value:,g}"


def share(part: int, whole: int) -> str:
    """Write a part in percent; 0 % and 100 % only where they are exact."""
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.1f} %" if part < whole else "100 %"


def seconds(value: float) -> str:
    """Write a short or long time in the unit it is best read in."""
    if not value:
        return "0 s"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 0.9995:
        return f"{value * 1e3:.3g} ms"
    if value < 59.95:
        return f"{value:.3g} s"
    whole = round(value)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"
