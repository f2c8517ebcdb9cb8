"""What the pytest plugin is made of; imported once a test uses one of its fixtures.

The fixtures themselves stand in `linksfield_async_pytest`, which pytest imports at every start and
which therefore imports nothing of this package.
"""

from __future__ import annotations

from .bench import Bench, opened
from .marker import Wanted, wanted
from .thread import SandboxThread
from .view import View
from .waiting import VirtualTime

__all__ = ["Bench", "SandboxThread", "View", "VirtualTime", "Wanted", "opened", "wanted"]
