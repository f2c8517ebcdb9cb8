from __future__ import annotations

from linksfield_async.bulk.staffing import Staffing


def test_a_fixed_number():
    staffing = Staffing(5, connections=100, now=0.0)
    assert (staffing.limit, staffing.wanted(0.0), staffing.allowed) == (5, 5, 5)


def test_a_call_is_known_from_its_beginning_to_its_end():
    staffing = Staffing(5, connections=100, now=0.0)
    staffing.began(7, 1.0)
    staffing.began(8, 2.0)
    assert staffing.calls == {7: 1.0, 8: 2.0}
    assert staffing.ended(7, 1.5, failed=False) == 0.5
    assert staffing.calls == {8: 2.0}


def hanging(limit, connections, calls):
    """Calls of 0.1 s are usual, and so many have been under way for a minute."""
    staffing = Staffing(limit, connections, now=0.0)
    staffing.began(0, 0.0)
    staffing.leaves(0, 0.0)
    staffing.ended(0, 0.1, failed=False)
    for position in range(1, calls + 1):
        staffing.began(position, 1.0)
        staffing.leaves(position, 1.0)
    return staffing


def test_there_is_one_more_for_each_that_hangs():
    assert hanging(4, 100, 3).wanted(61.0) == 7
    assert hanging(4, 100, 3).wanted(1.5) == 4


def test_never_more_than_twice_the_limit_nor_than_connections():
    assert hanging(4, 100, 40).wanted(61.0) == 8
    assert hanging(4, 6, 40).wanted(61.0) == 6
    assert hanging(4, 2, 40).wanted(61.0) == 4


def test_one_that_waits_for_its_turn_does_not_hang():
    staffing = hanging(4, 100, 0)
    for position in range(1, 4):
        staffing.began(position, 1.0)
    assert staffing.wanted(61.0) == 4


def test_what_is_usual_is_learnt_from_calls_that_did_not_fail():
    staffing = Staffing(4, 100, now=0.0)
    staffing.began(0, 0.0)
    staffing.ended(0, 30.0, failed=True)
    staffing.began(1, 30.0)
    assert staffing.wanted(90.0) == 4


def test_an_adaptive_limit_is_taken_over():
    staffing = Staffing("auto", 1_000, now=0.0)
    assert staffing.wanted(0.0) == staffing.limit == 16
    now = 0.0
    for position in range(400):
        now += 0.02
        staffing.began(position, now)
        staffing.ended(position, now + 0.01, failed=True)
    assert staffing.wanted(now) == staffing.limit < 16
