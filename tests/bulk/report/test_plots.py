from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest

from linksfield_async import Throttled
from linksfield_async.bulk.outcome import Outcome
from linksfield_async.bulk.report import plots, wording
from linksfield_async.bulk.report.statistics import Latency, Statistics

SVG = "{http://www.w3.org/2000/svg}"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def some(times, fails=0):
    clock = Clock()
    statistics = Statistics(clock)
    for number, at in enumerate(times):
        clock.now = at
        error = Throttled("later", status=429) if number < fails else None
        verdict = "valid" if error is None else "failed"
        statistics.add(Outcome(number, None, verdict, None, error, 1, 0.02 + number / 1000))
    return statistics


def read(svg):
    root = ET.fromstring(svg)
    texts = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    return root, texts


def shapes(root, style):
    return [one for one in root.iter() if one.get("class") == style]


@pytest.mark.parametrize("width", [360, 880])
def test_each_picture_has_a_title_and_a_description(width):
    statistics = some([number / 10 for number in range(100)], fails=10)
    drawn = (
        plots.throughput(statistics, width),
        plots.latency(statistics.latency, width),
        plots.verdicts(statistics, width),
    )
    for svg in drawn:
        root, _ = read(svg)
        title, description = root[0], root[1]
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert title.text
        assert description.text
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert root.get("viewBox").split()[2] == str(width)


def test_throughput_tells_its_units_and_draws_failures_apart():
    root, texts = read(plots.throughput(some([number / 10 for number in range(100)], 10), 880))
    assert "cards per second" in texts
    assert "seconds since the session began" in texts
    assert "Cards: 100 in 9.9 s" in root[1].text
    assert any(one.tag == f"{SVG}path" for one in shapes(root, "undecided"))
    root, _ = read(plots.throughput(some([number / 10 for number in range(100)]), 880))
    assert not any(one.tag == f"{SVG}path" for one in shapes(root, "undecided"))


def test_a_line_stays_inside_its_picture():
    svg = plots.throughput(some([number**1.7 for number in range(400)], fails=60), 360)
    root, _ = read(svg)
    (path,) = [one for one in shapes(root, "decided") if one.tag == f"{SVG}path"]
    points = re.findall(r"([\d.]+) ([\d.]+)", path.get("d"))
    assert all(0 <= float(x) <= 360 and 0 <= float(y) <= 256 for x, y in points)


@pytest.mark.parametrize(
    ("until", "named"),
    [
        (0.01, "milliseconds"),
        (100.0, "seconds"),
        (4000.0, "minutes"),
        (90_000.0, "hours"),
        (1e9, "hours"),
    ],
)
def test_time_is_shown_in_a_fitting_unit(until, named):
    _, texts = read(plots.throughput(some([0.0, until]), 880))
    assert f"{named} since the session began" in texts


def test_without_time_or_calls_there_is_nothing_to_draw():
    assert plots.throughput(some([]), 880) == ""
    assert plots.throughput(some([0.0, 0.0]), 880) == ""
    assert plots.latency(Latency(), 880) == ""


def test_latency_marks_its_quantiles_on_a_logarithmic_axis():
    histogram = Latency()
    for number in range(1, 1001):
        histogram.add(number / 1000)
    root, texts = read(plots.latency(histogram, 880))
    for share, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        assert f"{name} {wording.seconds(histogram.quantile(share))}" in texts
    ticks = {"".join(one.itertext()): float(one.get("x")) for one in shapes(root, "tick middle")}
    assert ticks["100 ms"] - ticks["10 ms"] == pytest.approx(ticks["1 s"] - ticks["100 ms"], abs=1)
    lines = [float(one.get("x1")) for one in shapes(root, "quantile")]
    assert lines == sorted(lines)


@pytest.mark.parametrize("seconds", [0.0, 1e-7, 1e-4, 0.042, 0.999, 1000.0, 1e5, math.inf])
def test_any_single_latency_can_be_drawn(seconds):
    histogram = Latency()
    histogram.add(seconds if seconds < math.inf else 1e300)
    root, _ = read(plots.latency(histogram, 360))
    (bar,) = shapes(root, "decided")
    assert 0 < float(bar.get("height")) <= 300
    assert 0 <= float(bar.get("x")) <= 360


def test_every_verdict_has_a_bar_as_long_as_its_count():
    statistics = some([1.0] * 40, fails=10)
    root, texts = read(plots.verdicts(statistics, 880))
    bars = {one.get("class"): float(one.get("width")) for one in root.iter(f"{SVG}rect")}
    assert bars["valid"] == pytest.approx(3 * bars["failed"], rel=0.01)
    assert bars["refused"] == bars["unknown"] == bars["invalid_input"] == 0
    assert "3075.0 %" in texts
    assert "00 %" in texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.00042, "420 µs"),
        (0.0421, "42.1 ms"),
        (0.9999, "1 s"),
        (1.234, "1.23 s"),
        (59.97, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_times_are_worded_in_the_unit_they_are_read_in(value, text):
    assert wording.seconds(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 %"),
        (1, 10**6, "< 0.1 %"),
        (10**6 - 1, 10**6, "> 99.9 %"),
        (5, 5, "100 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_a_share_is_not_rounded_to_nothing_or_all(part, whole, text):
    assert wording.share(part, whole) == text


def test_numbers_are_worded_short():
    assert [wording.rate(one) for one in (0.1234, 9.5, 42.25, 1234.5)] == [
        "0.123", "9.5", "42.2", "1,234",
    ]  # fmt: skip
    assert [wording.tick(one) for one in (0, 0.25, 2500, 2e6, 3e9)] == [
        "0", "0.25", "2,500", "2M", "3G",
    ]  # fmt: skip
