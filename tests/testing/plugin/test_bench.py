from __future__ import annotations

import threading

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.resilience.clock import clock_for_new
from linksfield_async.testing.plugin import Wanted, opened


def test_it_tells_the_latest_requests() -> None:
    with opened(Wanted(settings={"cards": 100}), 1) as bench, bench.sync_client() as client:
        assert bench.told() == "none"
        for _ in range(22):
            client.groups.list()
        lines = bench.told().splitlines()
    assert lines[0] == "… 2 earlier ones"
    assert lines[-1] == "#21 ListGroups 200 (ok)"
    assert len(lines) == 21


def test_the_clock_of_new_clients_is_put_back() -> None:
    before = clock_for_new()
    with opened(Wanted(settings={"cards": 100}), 1) as bench:
        assert clock_for_new() is bench.time.clock
    assert clock_for_new() is before


def test_nothing_runs_where_a_setting_is_wrong() -> None:
    threads = threading.active_count()
    with (
        pytest.raises(ConfigurationError, match="job_delay"),
        opened(Wanted(settings={"job_delay": -1}), 1),
    ):
        pytest.fail("it has opened")
    assert threading.active_count() == threads
