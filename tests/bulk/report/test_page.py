from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from linksfield_async import ConfigurationError, InvalidInput, OutcomeUnknown, Refused, Throttled
from linksfield_async.bulk.outcome import Outcome
from linksfield_async.bulk.report import page as report
from linksfield_async.bulk.report.page import check_report_path, write_report
from linksfield_async.bulk.report.reasons import MOST_GROUPS
from linksfield_async.bulk.report.statistics import Statistics

VOID = {"meta", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.cells, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *one) for one in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th", "dt", "dd", "h1", "p"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *one) for one in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if self.cells and {"td", "th", "dt", "dd", "h1", "p"} & set(self.open):
            self.cells[-1] += data

    @property
    def text(self):
        return " ".join(self.words)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def realistic(count=2000, replayed=0):
    clock = Clock()
    statistics = Statistics(clock)
    for number in range(count):
        clock.now += 0.01
        error, verdict = None, "valid"
        if number % 10 == 3:
            verdict = "refused"
            error = Refused(
                f"refused: card 898520000000000{number:04} is off", status=200, code="F"
            )
        elif number % 100 == 5:
            verdict, error = "unknown", OutcomeUnknown("no answer within 10 s")
        elif number % 100 == 6:
            verdict, error = "failed", Throttled("later", status=429)
        elif number % 100 == 7:
            verdict, error = "invalid_input", InvalidInput("no ICCID: the cell is blank")
        statistics.add(
            Outcome(
                number, None, verdict, None, error, 1 + (number % 50 == 0), 0.05 + number / 1e5,
                row=number + 2, replayed=number < replayed,
            )
        )  # fmt: skip
    return statistics


def write(path, statistics, **more):
    given = {"title": "A run", "facts": {"Partner": "P000270", "Concurrency": "64"}} | more
    write_report(path, statistics, **given)
    text = path.read_bytes().decode()
    return text, Page(text)


def after(page):
    """What stands after each cell, at its first place."""
    return dict(zip(page.cells[-2::-1], page.cells[:0:-1], strict=True))


def test_the_numbers_are_those_of_the_statistics(tmp_path):
    statistics = realistic()
    _, page = write(tmp_path / "r.html", statistics)
    assert "A run" in page.cells
    for cell in ("2,000", "100", "1.02", "P000270", "Concurrency"):
        assert cell in page.cells
    figures = after(page)
    assert figures["Cards"] == "2,000"
    assert figures["Per second"] == "100"
    assert figures["Attempts per card"] == "1.02"
    for verdict, count in statistics.verdicts.items():
        assert f"{report.plots.LABELS[verdict]}: {count:,}" in page.text
    reasons = page.cells[page.cells.index("Reason") + 1 :]
    assert reasons[:2] == ["200", "refused"]
    assert reasons[2] == (
        "refused: card … is off"
        "Refused · HTTP 200 · code F · rows 5, 15, 25, 35, 45, … · 10.0 % of all"
    )
    counts = [int(cell) for cell in reasons[: 3 * 4 : 3]]
    assert sum(counts) == statistics.total - statistics.verdicts["valid"]


def test_the_page_needs_nothing_else(tmp_path):
    text, page = write(tmp_path / "r.html", realistic())
    urls = re.findall(r"(?i)(?:https?:|url\()[^\s\"'<]*", text)
    assert set(urls) == {"http://www.w3.org/2000/svg"}
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(page.tags)
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "href", "style"} & names
    assert not any(name.startswith("on") for name in names)
    assert ("html", "lang", "en") in page.attributes


def test_the_style_is_the_one_its_policy_allows(tmp_path):
    text, page = write(tmp_path / "r.html", realistic(3))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [v for _, name, v in page.attributes if name == "content" and "default-src" in v]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")


def test_every_picture_is_well_formed_and_every_id_unique(tmp_path):
    text, page = write(tmp_path / "r.html", realistic())
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 6
    for picture in pictures:
        ET.fromstring(picture)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) == 12


def test_what_comes_from_outside_is_escaped_and_masked(tmp_path):
    statistics = Statistics(Clock())
    hostile = '<script>alert("1")</script>&amp;\u202e\x00'
    for kind in (Refused, Throttled):
        error = kind(hostile, status=200, code=hostile)
        statistics.add(Outcome(0, None, "refused", None, error, 1, 0.1))
    text, page = write(
        tmp_path / "r.html",
        statistics,
        title=hostile,
        facts={hostile: hostile, "Endpoint": "https://host/x", "To": "a.b@example.org \ud800"},
        progress_note=hostile + " 8985200012345678901",
    )
    assert "script" not in page.tags
    assert "<script" not in text
    assert '<script>alert("1")</script>&amp;\\u202e\\x00' in page.cells
    assert "https://host/x" in page.cells
    assert "*** \\ud800" in page.cells
    assert "898520…8901" in page.text
    assert not re.search(r"\d{18}|\x00|\u202e", text)


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_outcomes_make_a_page(tmp_path, count):
    _, page = write(tmp_path / "r.html", realistic(count), facts={})
    assert after(page)["Cards"] == str(count)
    assert ("None." in page.cells) == (count == 0 or "Reason" not in page.cells)
    assert page.tags.count("svg") == (2 if count == 0 else 6)


def test_a_run_of_no_time_says_so(tmp_path):
    statistics = Statistics(Clock())
    for number in range(1000):
        statistics.add(Outcome(number, None, "valid", None, None, 1, 0.0))
    _, page = write(tmp_path / "r.html", statistics)
    assert "No time passed in which it could be measured." in page.cells
    assert "1,000" in page.cells


def test_a_resumed_run_says_which_numbers_cover_what(tmp_path):
    statistics = realistic(500, replayed=200)
    statistics.skipped("valid", 1000)
    statistics.skipped("refused", 7)
    _, page = write(tmp_path / "r.html", statistics, progress_note="500 cards are left.")
    assert "500 cards are left." in page.cells
    assert (
        "This run was resumed. Throughput and latency: this session (cards: 300). Counts: the "
        "whole run (known from before: 1,207)."
    ) in page.cells
    assert any("Not valid and decided before this session: 7." in cell for cell in page.cells)
    _, page = write(tmp_path / "new.html", realistic(5))
    assert "resumed" not in page.text


def test_positions_are_told_where_there_are_no_rows(tmp_path):
    statistics = Statistics(Clock())
    statistics.add(Outcome(7, None, "refused", None, Refused("no"), 1, 0.1))
    _, page = write(tmp_path / "r.html", statistics)
    assert any("Refused · position 7 · 100 % of all" in cell for cell in page.cells)


def test_a_file_that_is_there_stays_unless_forced(tmp_path):
    path = tmp_path / "r.html"
    path.write_text("mine")
    for refused in (check_report_path, lambda path: write(path, realistic(3))):
        with pytest.raises(ConfigurationError, match="is there already"):
            refused(path)
    assert path.read_text() == "mine"
    check_report_path(path, force=True)
    write(path, realistic(3), force=True)
    assert "A run" in path.read_text()
    assert os.listdir(tmp_path) == ["r.html"]


@pytest.mark.parametrize("force", [False, True])
def test_a_wrong_place_is_named(tmp_path, force):
    cases = {
        tmp_path / "none" / "r.html": "its directory is not there",
        tmp_path: "it is a directory",
        tmp_path / "a\0b": "null byte",
        tmp_path / ("x" * 300): "too long",
    }
    for path, reason in cases.items():
        with pytest.raises(ConfigurationError, match=reason):
            write_report(path, realistic(3), title="t", facts={}, force=force)
    assert os.listdir(tmp_path) == []


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        write(path, realistic(3), force=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["r.html"]


def test_reasons_beyond_the_limit_are_told_in_one_row(tmp_path):
    statistics = Statistics(Clock())
    for number in range(MOST_GROUPS + 20):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        statistics.add(Outcome(number, None, "refused", None, Refused(word), 1, 0.1))
    _, page = write(tmp_path / "r.html", statistics)
    last = page.cells.index("various")
    assert page.cells[last - 1] == "20"
    assert page.cells[last + 1].startswith("other reasonspositions 200, 201, ")
    assert any(f"The first {MOST_GROUPS} reasons are kept apart." in one for one in page.cells)
