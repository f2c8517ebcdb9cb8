from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from linksfield_async.bulk.concurrency import AdaptiveConcurrency, Climber, Fixed, climber_for
from linksfield_async.errors import ConfigurationError

STAFFING = 0.25  # seconds until an engine acts on a new limit
ENDLESS = 10**9


class Service:
    """Discrete events: a queue before servers, and as many callers as the limit allows.

    `seconds` draws how long a server takes, `servers` says how many there are at a time,
    `supply` how many calls the source has at once, and `fails` whether a call failed.
    """

    def __init__(
        self,
        seconds: Callable[[Service], float],
        servers: Callable[[float], int] = lambda now: ENDLESS,
        *,
        setting: AdaptiveConcurrency | None = None,
        supply: int = ENDLESS,
        fails: Callable[[Service], bool] = lambda service: False,
        seed: int = 1,
    ) -> None:
        self.climber = climber_for(setting or "auto", 0.0)
        self.seconds, self.servers, self.supply, self.fails = seconds, servers, supply, fails
        self.random = random.Random(seed)
        self.now, self.under_way = 0.0, 0
        self.ended: list[tuple[float, bool, int]] = []
        """When each call ended, whether it failed, and the limit then."""
        self._queue: deque[float] = deque()
        self._served: list[tuple[float, float]] = []
        self._staffed, self._staff_at = self.climber.limit, 0.0

    def run(self, until: float) -> None:
        while self.now < until:
            if self.now >= self._staff_at:
                self._staffed, self._staff_at = self.climber.limit, self.now + STAFFING
            while self.under_way < min(self._staffed, self.supply):
                self.under_way += 1
                self._queue.append(self.now)
            servers = self.servers(self.now)
            while self._queue and len(self._served) < servers:
                end = self.now + self.seconds(self)
                heapq.heappush(self._served, (end, self._queue.popleft()))
            self.now, began = heapq.heappop(self._served)
            failed = self.fails(self)
            limit = self.climber.note(
                self.now, elapsed=self.now - began, failed=failed, in_flight=self.under_way
            )
            self.under_way -= 1
            self.ended.append((self.now, failed, limit))

    def rate(self, begin: float, end: float) -> float:
        good = sum(not failed for at, failed, _ in self.ended if begin <= at < end)
        return good / (end - begin)

    def limits(self, begin: float, end: float) -> list[int]:
        return sorted(limit for at, _, limit in self.ended if begin <= at < end)

    def usual_limit(self, begin: float, end: float) -> int:
        limits = self.limits(begin, end)
        return limits[len(limits) // 2]


def always(seconds: float) -> Callable[[Service], float]:
    return lambda service: seconds


def about(seconds: float) -> Callable[[Service], float]:
    return lambda service: service.random.expovariate(1 / seconds)


def overloaded_beyond(optimum: int) -> Callable[[Service], float]:
    return lambda service: 0.05 * max(1.0, (service.under_way / optimum) ** 2)


def servers(count: int) -> Callable[[float], int]:
    return lambda now: count


# Settings


@pytest.mark.parametrize("name", ["start", "least", "most"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "5", None])
def test_settings_are_whole_numbers(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"AdaptiveConcurrency\.{name} .*whole number"):
        AdaptiveConcurrency(**{name: value})


@pytest.mark.parametrize("wrong", [{"start": 513}, {"least": 17}, {"most": 15}])
def test_start_lies_between_least_and_most(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=r"AdaptiveConcurrency\.start"):
        AdaptiveConcurrency(**wrong)


@pytest.mark.parametrize("value", [0, -3, True, 2.0, "8", "Auto", None])
def test_what_is_no_concurrency_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'concurrency must be .* "auto"'):
        climber_for(value, 0.0)


def test_a_number_stays_as_it_is() -> None:
    fixed = climber_for(7, 0.0)
    assert isinstance(fixed, Fixed)
    limits = {fixed.note(n, elapsed=1.0, failed=True, in_flight=7) for n in range(1000)}
    assert limits == {7}
    assert (fixed.limit, fixed.most) == (7, 7)


def test_auto_has_the_defaults() -> None:
    climber = climber_for("auto", 0.0)
    assert isinstance(climber, Climber)
    assert (climber.limit, climber.most) == (16, 512)


# Finding the level


@pytest.mark.parametrize("draw", [always, about])
@pytest.mark.parametrize(
    ("capacity", "latency", "settled", "end"),
    [(100, 0.05, 60, 200), (5000, 0.02, 6, 16), (40, 2.0, 250, 900), (2000, 0.001, 24, 50)],
)
def test_finds_what_a_service_bears(
    capacity: int,
    latency: float,
    settled: float,
    end: float,
    draw: Callable[[float], Callable[[Service], float]],
) -> None:
    needed = round(capacity * latency)
    service = Service(draw(latency), servers(needed))
    service.run(end)
    assert service.rate(settled, end) >= 0.9 * capacity
    assert needed / 2 <= service.usual_limit(settled, end) <= 2 * needed


@pytest.mark.parametrize(("before", "after"), [(50, 25), (25, 50)])
def test_follows_a_change(before: int, after: int) -> None:
    service = Service(about(0.05), lambda now: before if now < 40 else after)
    service.run(120)
    assert service.rate(20, 40) >= 0.88 * before / 0.05
    assert before / 2 <= service.usual_limit(20, 40) <= 2 * before
    assert service.rate(90, 120) >= 0.88 * after / 0.05
    assert after / 2 <= service.usual_limit(90, 120) <= 2 * after


@pytest.mark.parametrize("start", [4, 16, 100])
def test_stays_near_an_optimum(start: int) -> None:
    service = Service(overloaded_beyond(40), setting=AdaptiveConcurrency(start=start))
    service.run(120)
    assert service.rate(60, 120) >= 0.75 * 40 / 0.05
    assert 24 <= service.usual_limit(60, 120) <= 56


def test_uses_all_that_is_allowed_where_it_pays() -> None:
    service = Service(always(0.05), setting=AdaptiveConcurrency(start=2, most=50))
    service.run(60)
    assert service.usual_limit(20, 60) == 50
    assert max(service.limits(0, 60)) == 50


def test_a_single_level_is_a_fixed_one() -> None:
    service = Service(always(0.01), setting=AdaptiveConcurrency(start=3, least=3, most=3))
    service.run(10)
    assert set(service.limits(0, 10)) == {3}


# What is not to disturb it


def test_a_wave_of_failures_cuts_and_is_recovered_from() -> None:
    service = Service(about(0.05), servers(40), fails=lambda service: 20 < service.now < 30)
    service.run(70)
    assert service.limits(27, 30)[-1] <= 4
    assert min(service.limits(20, 30)) >= 1
    assert service.rate(50, 70) >= 0.85 * 40 / 0.05


def test_a_cut_halves_and_never_passes_the_least() -> None:
    setting = AdaptiveConcurrency(start=64, least=10)
    service = Service(always(0.05), setting=setting, fails=lambda service: True)
    service.run(10)
    levels = [limit for _, _, limit in service.ended]
    assert sorted(set(levels), reverse=True) == [64, 32, 16, 10]
    assert levels == sorted(levels, reverse=True)
    # Once per window: what was sent before a cut is not held against the level after it.
    first = {limit: at for at, _, limit in reversed(service.ended)}
    assert first[16] - first[32] >= 0.3


def test_failures_beyond_a_level_are_visited_ever_more_rarely() -> None:
    service = Service(
        always(0.05), fails=lambda call: call.under_way > 60 and call.random.random() < 0.7
    )
    service.run(120)
    beyond = [sum(limit > 60 for limit in service.limits(t, t + 30)) for t in (0, 90)]
    assert beyond[1] < beyond[0]
    assert service.rate(30, 120) >= 0.6 * 60 / 0.05
    assert max(service.limits(30, 120)) <= 120


def test_rare_failures_do_not_matter() -> None:
    service = Service(about(0.05), servers(40), fails=lambda call: call.random.random() < 0.01)
    service.run(60)
    assert service.rate(20, 60) >= 0.88 * 40 / 0.05
    assert 20 <= service.usual_limit(20, 60) <= 80


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_that_hang_do_not_matter(seed: int) -> None:
    def seconds(service: Service) -> float:
        return 2.0 if service.random.random() < 0.01 else 0.02

    service = Service(seconds, servers(40), seed=seed)
    service.run(60)
    # One in a hundred takes as long as all the others together.
    assert service.rate(20, 60) >= 0.8 * 40 / 0.0398
    assert 20 <= service.usual_limit(20, 60) <= 80


def test_a_rate_limit_upstream_bounds_it() -> None:
    leaves = 0.0

    def seconds(service: Service) -> float:
        nonlocal leaves
        leaves = max(leaves + 1 / 50, service.now)
        return leaves - service.now + 0.1

    service = Service(seconds)
    service.run(300)
    assert max(service.limits(0, 300)) <= 32
    assert service.usual_limit(150, 300) <= 15  # 5 are needed
    assert service.rate(150, 300) >= 0.9 * 50


@pytest.mark.parametrize("supply", [1, 5, 10])
def test_what_is_not_used_does_not_grow(supply: int) -> None:
    service = Service(about(0.02), supply=supply)
    service.run(60)
    assert set(service.limits(0, 60)) == {16}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_does_not_make_it_creep(seed: int) -> None:
    service = Service(about(0.2), servers(20), seed=seed)
    service.run(1800)
    limits = service.limits(60, 1800)
    assert limits[len(limits) // 50] >= 10
    assert limits[-len(limits) // 50] <= 45
    assert service.rate(60, 1800) >= 0.9 * 20 / 0.2


def test_calls_that_take_no_time_are_borne() -> None:
    climber = climber_for("auto", 0.0)
    for n in range(1000):
        climber.note(n / 100, elapsed=0.0, failed=False, in_flight=16)
    assert climber.limit == 16
