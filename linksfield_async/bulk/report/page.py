"""Writes what a bulk run came to as one page that needs nothing else to be read."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from ...errors import ConfigurationError
from ...masking import one_line
from . import plots
from .reasons import MOST_GROUPS, Reason
from .statistics import Statistics
from .style import STYLE
from .wording import number, rate, seconds, share

_WIDTHS = (("wide", 880), ("narrow", 360))
_LONGEST_FACT = 1000
_LONGEST_PATH = 120
_NONE = "–"

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
"""


def check_report_path(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuse a path that a report could not be written to; for use before a long run."""
    target = Path(path)
    shown = _shown(path)
    try:
        there, directory = os.path.lexists(target), target.parent.is_dir()
        is_directory = target.is_dir()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    if is_directory:
        raise ConfigurationError(f"cannot write {shown}: it is a directory")
    if there and not force:
        raise ConfigurationError(f"{shown} is there already")
    if not directory:
        raise ConfigurationError(f"cannot write {shown}: its directory is not there")


def write_report(
    path: str | os.PathLike[str],
    statistics: Statistics,
    *,
    title: str,
    facts: Mapping[str, str],
    progress_note: str | None = None,
    force: bool = False,
) -> None:
    """Write the page in one step: whole, or not at all; it must be new, unless `force`."""
    check_report_path(path, force=force)
    page = _page(statistics, title, facts, progress_note)
    target = Path(path)
    beside = target.with_name(f".{secrets.token_hex(6)}.tmp")
    try:
        with open(beside, "xb") as stream:
            stream.write(page.encode("utf-8", "backslashreplace"))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, target)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _unwritable(path: str | os.PathLike[str], error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigurationError(f"cannot write {_shown(path)}: {reason}")


def _shown(path: str | os.PathLike[str]) -> str:
    # An error's text is cut at its end, where the reason stands.
    shown = repr(os.fspath(path))
    return shown if len(shown) <= _LONGEST_PATH else f"…{shown[1 - _LONGEST_PATH :]}"


def _page(
    statistics: Statistics, title: str, facts: Mapping[str, str], progress_note: str | None
) -> str:
    head = _HEAD.format(hash=_STYLE_HASH, title=_text(title), style=STYLE)
    notes = [_text(progress_note)] if progress_note else []
    notes += _notes(statistics)
    return "\n".join(
        (
            f"{head}<body>\n<main>\n<header>\n<h1>{_text(title)}</h1>",
            _date(datetime.now(UTC).astimezone()),
            *(f'<p class="note">{note}</p>' for note in notes),
            f"{_figures(statistics)}\n</header>",
            _section("Verdicts", "", _figure(lambda width: plots.verdicts(statistics, width))),
            *_time_sections(statistics),
            _reasons(statistics),
            _facts(facts),
            _footer(),
            "</main>\n</body>\n</html>\n",
        )
    )


def _date(now: datetime) -> str:
    exact = now.isoformat(timespec="seconds")
    return f'<p><time datetime="{exact}">{now:%Y-%m-%d %H:%M} (UTC{now:%z})</time></p>'


def _text(value: str) -> str:
    """Make a text from outside fit to stand in a page: masked, printable, escaped."""
    return escape(one_line(value, _LONGEST_FACT))


def _notes(statistics: Statistics) -> Iterable[str]:
    if statistics.replayed:
        here = number(statistics.total - statistics.replayed)
        yield (
            f"This run was resumed. Throughput and latency: this session (cards: {here}). Counts: "
            f"the whole run (known from before: {number(statistics.replayed)})."
        )
    if statistics.skipped_reasons:
        yield (
            f"Not valid and decided before this session: {number(statistics.skipped_reasons)}. "
            "These are counted as verdicts and missing from the reasons."
        )


def _figures(statistics: Statistics) -> str:
    per_second = statistics.throughput.per_second()
    median, late = (statistics.latency.quantile(part) for part in (0.5, 0.99))
    mean = statistics.mean_attempts
    duplicates = statistics.duplicates
    entries = [
        (
            "Cards",
            number(statistics.total),
            f"{number(duplicates)} of them duplicates" if duplicates else "no duplicates",
        ),
        (
            "Per second",
            _NONE if per_second is None else rate(per_second),
            f"over {seconds(statistics.throughput.until)}"
            if per_second is not None
            else "no time to measure",
        ),
        (
            "Median latency",
            _NONE if median is None else seconds(median),
            "nothing was sent" if late is None else f"99 % within {seconds(late)}",
        ),
        (
            "Attempts per card",
            _NONE if mean is None else f"{mean:.2f}",
            "nothing was sent" if mean is None else f"{number(statistics.repeated)} repeated",
        ),
    ]
    shown = (
        f'<div><dt>{name}</dt><dd class="value">{escape(value)}</dd><dd>{escape(more)}</dd></div>'
        for name, value, more in entries
    )
    return f'<dl class="figures">{"".join(shown)}</dl>'


def _section(title: str, told: str, content: str) -> str:
    told = f'<p class="soft">{told}</p>\n' if told else ""
    return f"<section>\n<h2>{title}</h2>\n{told}{content}\n</section>"


def _figure(draw: Callable[[int], str]) -> str:
    # The same picture for broad and narrow windows: scaling alone would make its text too small.
    drawn = (f'<div class="{style}">{draw(width)}</div>' for style, width in _WIDTHS)
    return f"<figure>{''.join(drawn)}</figure>"


def _time_sections(statistics: Statistics) -> Iterable[str]:
    if statistics.throughput.is_measurable:
        told = "Cards per second. Decided are valid, refused and invalid cards alike."
        yield _section(
            "Throughput", told, _figure(lambda width: plots.throughput(statistics, width))
        )
    else:
        yield _section("Throughput", "No time passed in which it could be measured.", "")
    histogram = statistics.latency
    if histogram.total:
        longest = escape(seconds(histogram.longest))
        told = f"Cards sent: {number(histogram.total)}; the longest took {longest}."
        yield _section("Latency", told, _figure(lambda width: plots.latency(histogram, width)))
    else:
        yield _section("Latency", "Nothing was sent in this session.", "")


def _reasons(statistics: Statistics) -> str:
    groups = statistics.reasons.groups()
    if not groups:
        return _section("Not valid, by reason", "None.", "")
    told = "Where a reason differs from card to card, … stands for what differs."
    if statistics.reasons.others.count:
        told += f" The first {MOST_GROUPS} reasons are kept apart."
    rows = "\n".join(_reason(group, statistics.total) for group in groups)
    table = (
        '<table class="reasons">\n<thead><tr><th scope="col" class="count">Cards</th>'
        '<th scope="col" class="verdict">Verdict</th><th scope="col">Reason</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )
    return _section("Not valid, by reason", told, table)


def _reason(group: Reason, total: int) -> str:
    details = [group.kind]
    if group.status is not None:
        details.append(f"HTTP {group.status}")
    if group.code is not None:
        details.append(f"code {group.code}")
    for places, one, many in (
        (group.rows, "row", "rows"),
        (group.positions, "position", "positions"),
    ):
        if places:
            shown = ", ".join(str(place) for place in sorted(places))
            more = ", …" if group.count > len(places) else ""
            details.append(f"{one if len(places) == 1 else many} {shown}{more}")
    verdict = "various" if group.verdict is None else plots.LABELS[group.verdict].lower()
    return (
        f'<tr><td class="count">{number(group.count)}</td><td class="verdict">{verdict}</td>'
        f"<td>{_text(group.text)}"
        f"<small>{_text(' · '.join(filter(None, details)))}"
        f" · {escape(share(group.count, total))} of all</small></td></tr>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    content = f'<table class="facts">\n<tbody>\n{rows}\n</tbody>\n</table>' if rows else ""
    return _section("The run", "" if rows else "Nothing is known about it.", content)


def _footer() -> str:
    return (
        "<footer><p>Masked: card numbers show their first six and last four digits at most; mail "
        "addresses, signatures, client secrets and payment methods show as ***. Rows are counted "
        "as a spreadsheet counts them, positions from 0.</p></footer>"
    )
