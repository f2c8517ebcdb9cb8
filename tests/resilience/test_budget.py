from __future__ import annotations

import threading

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from linksfield_async.resilience.budget import CAPACITY, RetryBudget


def test_r01_a_budget_without_success_allows_35_repeats() -> None:
    budget = RetryBudget()
    repeats = 0
    while budget.take(throttled=False):
        repeats += 1
    assert repeats == 35
    assert budget.tokens == 10


def test_being_throttled_costs_less() -> None:
    budget = RetryBudget()
    repeats = 0
    while budget.take(throttled=True):
        repeats += 1
    assert repeats == 100


def test_r01_success_refills_it() -> None:
    budget = RetryBudget()
    taken = budget.take(throttled=False)
    budget.succeeded(taken)
    assert budget.tokens == CAPACITY
    budget.take(throttled=False)
    budget.succeeded(0)
    assert budget.tokens == CAPACITY - 13


def test_from_many_threads() -> None:
    budget = RetryBudget()
    taken: list[int] = []

    def spend() -> None:
        while cost := budget.take(throttled=True):
            taken.append(cost)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == CAPACITY


class Balance(RuleBasedStateMachine):
    """R04: whatever happens, tokens stay between nothing and full."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = RetryBudget()
        self.under_way: list[int] = []

    @rule(throttled=st.booleans())
    def repeat(self, throttled: bool) -> None:
        before = self.budget.tokens
        cost = self.budget.take(throttled=throttled)
        assert self.budget.tokens == before - cost
        self.under_way.append(cost)

    @rule()
    def succeed(self) -> None:
        self.budget.succeeded(self.under_way.pop() if self.under_way else 0)

    @rule()
    def fail(self) -> None:
        if self.under_way:
            self.under_way.pop()

    @invariant()
    def balanced(self) -> None:
        assert 0 <= self.budget.tokens <= CAPACITY


test_r04_the_budget_stays_balanced = Balance.TestCase
