"""How many repeats a client may make in all, so that a sick service is not flooded with them."""

from __future__ import annotations

import threading

from .forks import renew_after_fork

CAPACITY = 500
COST = 14
COST_THROTTLED = 5
REFUND = 1


class RetryBudget:
    """Shared by a client and its views, over all loops and threads.

    A repeat takes 14 tokens, 5 after being throttled; a call that ends well gives back what its
    repeats took, or 1. With nothing coming back, 35 repeats empty the 500 tokens.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._tokens = capacity
        self._guard = threading.Lock()
        renew_after_fork(self)

    def renew_in_child(self) -> None:
        """Take a lock that no thread of the parent can hold."""
        self._guard = threading.Lock()

    @property
    def tokens(self) -> int:
        """What is left."""
        return self._tokens

    def take(self, *, throttled: bool) -> int:
        """Pay for one repeat; 0 where not enough is left for it."""
        cost = COST_THROTTLED if throttled else COST
        with self._guard:
            if self._tokens < cost:
                return 0
            self._tokens -= cost
            return cost

    def succeeded(self, taken: int) -> None:
        """Give back what a call's repeats took, or a little where it had none."""
        # The usual case needs no lock: a full budget stays full.
        if not taken and self._tokens >= self._capacity:
            return
        with self._guard:
            self._tokens = min(self._capacity, self._tokens + (taken or REFUND))
