"""A sandbox on a loop in a thread of its own, for tests that block."""

from __future__ import annotations

from linksfield_async.testing.plugin import SandboxThread

__all__ = ["SandboxThread"]
