"""What is measured, section by section; each gives plain data for the table, the page and JSON."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import beside
import calls
import field
import imports
import journalled
import memory
import rate
from machine import open_files
from race import race
from responder import responder

Rows: TypeAlias = list[dict[str, Any]]
Figures: TypeAlias = dict[str, Any]


@attrs.frozen(kw_only=True)
class Effort:
    """How long to measure: more rounds make a figure steadier, not another."""

    rounds: int = 5
    tls_rounds: int = 4
    seconds: float = 0.7
    few_rounds: int = 3
    few_seconds: float = 0.6
    latency_seconds: float = 3.0
    latencies: tuple[tuple[int, int], ...] = ((20, 64), (20, 500), (100, 64), (100, 500))
    """In milliseconds, and how many calls are under way."""
    beside_seconds: float = 4.0
    cards: int = 20_000
    kept: int = 100_000
    imports: int = 15
    steps: int = 15
    finds_rate: bool = True


FULL = Effort()
QUICK = Effort(
    rounds=2,
    tls_rounds=1,
    seconds=0.25,
    few_rounds=1,
    few_seconds=0.25,
    latency_seconds=2.0,
    latencies=((20, 64), (100, 500)),
    beside_seconds=1.0,
    cards=3_000,
    kept=20_000,
    imports=4,
    steps=5,
    finds_rate=False,
)


def plain(effort: Effort) -> Rows:
    with responder() as url:
        return race(field.PLAIN, url, rounds=effort.rounds, seconds=effort.seconds)


def with_tls(effort: Effort) -> Rows:
    import trustme  # noqa: PLC0415  # the other sections go without

    with tempfile.TemporaryDirectory() as name:
        authority, certificate = trustme.CA(), Path(name) / "server.pem"
        authority.cert_pem.write_to_path(ca_file := str(Path(name) / "ca.pem"))
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
        with responder(certificate=certificate) as url:
            return race(
                field.TLS, url, rounds=effort.tls_rounds, seconds=effort.seconds, ca_file=ca_file
            )


def growth(effort: Effort) -> Rows:
    """Race at several concurrencies, as far as this machine lets so many connections be open."""
    rows: Rows = []
    for concurrency in (8, 64, 500, 2_000):
        if (len(field.GROWTH) + 1) * concurrency > open_files():
            continue
        with responder() as url:
            rows += race(
                field.GROWTH,
                url,
                rounds=effort.few_rounds,
                seconds=effort.few_seconds,
                concurrency=concurrency,
            )
    return rows


def latency(effort: Effort) -> Rows:
    """Race against a server that takes its time; the share is of concurrency over latency."""
    rows: Rows = []
    for milliseconds, concurrency in effort.latencies:
        with responder(latency=milliseconds / 1000) as url:
            taken = race(
                (*field.GROWTH, "raw uvloop"),
                url,
                rounds=1,
                seconds=effort.latency_seconds,
                concurrency=concurrency,
            )
        for row in taken:
            most = concurrency / milliseconds * 1000
            share = row["per_second"] / most if "per_second" in row else None
            rows.append(row | {"latency_ms": milliseconds, "share": share})
    return rows


def steps(effort: Effort) -> Figures:
    return dict(calls.measure(effort.steps))


def importing(effort: Effort) -> Figures:
    return imports.measure(effort.imports)


def kept(effort: Effort) -> Figures:
    return {"cards": effort.kept} | memory.measure(effort.kept)


def journal(effort: Effort) -> Figures | None:
    return journalled.measure(effort.cards, effort.few_rounds)


def web_app(effort: Effort) -> Rows:
    return beside.measure(effort.beside_seconds)


def finding_rate(effort: Effort) -> Figures | None:
    return rate.measure() if effort.finds_rate else None


SECTIONS: dict[str, Callable[[Effort], Any]] = {
    "plain": plain,
    "tls": with_tls,
    "growth": growth,
    "latency": latency,
    "steps": steps,
    "imports": importing,
    "memory": kept,
    "journal": journal,
    "beside": web_app,
    "rate": finding_rate,
}


def measured(effort: Effort, only: list[str] | None) -> dict[str, Any]:
    """Go through the sections, saying on stderr which one is under way."""
    figures = {}
    for name, measure in SECTIONS.items():
        if not only or name in only:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            figures[name] = measure(effort)
    return figures
