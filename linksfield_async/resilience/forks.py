"""Renews what a child process inherits in the middle of something: locks, waiters, probes."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewed(Protocol):
    """Something with locks or waiters of its own."""

    def renew_in_child(self) -> None:
        """Start anew: threads and event loops of the parent do not exist here."""
        ...


_known: weakref.WeakSet[Renewed] = weakref.WeakSet()


def renew_after_fork(what: Renewed) -> None:
    """Have an object renewed in every child process that is forked from now on."""
    _known.add(what)


def _renew_all() -> None:
    for what in _known:
        what.renew_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
