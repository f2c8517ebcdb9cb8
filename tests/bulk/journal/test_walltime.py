from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.journal.walltime import Moment, WallTime, boot_clock


class Machine:
    """True time goes on; the wall clock may be set to anything, the others may not."""

    def __init__(self) -> None:
        self.true = 10.0**9
        self.off = 0.0
        self.boot_id: str | None = "one"
        self.booted = self.true

    def wall_time(self, stored: Moment | None) -> WallTime:
        return WallTime(
            stored,
            wall=lambda: self.true + self.off,
            monotonic=lambda: self.true,
            boot=lambda: (
                self.boot_id,
                None if self.boot_id is None else int((self.true - self.booted) * 1000),
            ),
        )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.floats(0, 10**6)),
        st.tuples(st.just("set to"), st.floats(-(10**8), 10**8)),
        st.tuples(st.just("session"), st.just(0.0)),
    ),
    max_size=30,
)


@given(STEPS, st.booleans())
def test_b19_no_more_time_passes_than_truly_does_whatever_is_done_to_the_clock(steps, starts):
    """From what was stored to the present of a later session: never more than in truth."""
    machine = Machine()
    clock = machine.wall_time(None)
    stored, stored_at = clock.moment(), machine.true
    for step, value in steps:
        if step == "passes":
            machine.true += value
        elif step == "set to":
            machine.off = value
        else:
            if starts:
                machine.boot_id, machine.booted = str(machine.true), machine.true
            clock = machine.wall_time(stored)
            assert clock.is_same_boot != starts
            if starts:
                # No clock can be compared: time counts from the beginning of this session.
                stored = attrs.evolve(stored, wall_ms=max(stored.wall_ms, clock.opened_ms))
                stored_at = machine.true
        if clock.is_same_boot or starts:
            passed = clock.now_ms() - stored.wall_ms
            assert passed <= (machine.true - stored_at) * 1000 + 2  # rounding
    if not starts:
        assert clock.moment().wall_ms >= clock.now_ms()


@given(STEPS)
def test_what_is_stored_never_seems_to_be_longer_ago_than_it_is(steps):
    machine, moments = Machine(), []
    clock = machine.wall_time(None)
    for step, value in steps:
        machine.true += value if step == "passes" else 0.0
        machine.off = value if step == "set to" else machine.off
        if step == "session":
            moments.append((clock.moment(), machine.true))
            clock = machine.wall_time(moments[-1][0])
    if moments:
        stored, at = moments[-1]
        now = clock.now_ms()
        assert now - stored.wall_ms <= (machine.true - at) * 1000 + 2


def test_b20_on_another_machine_no_clock_can_be_compared():
    clock = WallTime(
        Moment(1_000_000, "there", 50),
        wall=lambda: 5_000.0,
        monotonic=lambda: 0.0,
        boot=lambda: ("here", 7),
    )
    assert not clock.is_same_boot
    assert clock.now_ms() == clock.opened_ms


@pytest.mark.parametrize(("boot_id", "boot_ms"), [(None, None), ("one", None), (None, 5)])
def test_a_system_that_tells_no_boot(boot_id, boot_ms):
    stored = Moment(1_000_000, boot_id, boot_ms)
    clock = WallTime(stored, wall=lambda: 5.0, monotonic=lambda: 0.0, boot=lambda: (None, None))
    assert not clock.is_same_boot
    assert clock.moment().wall_ms >= clock.now_ms()


def test_the_system_s_own_clock():
    one, other = boot_clock(), boot_clock()
    assert one[0] == other[0]
    assert (one[1] is None) == (one[0] is None)
    clock = WallTime()
    assert clock.now_ms() > 1_600_000_000_000
