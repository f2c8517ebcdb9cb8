"""The example of an app that tests itself: its tests, run as its own project would run them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "testing"
NEEDED = ("fastapi", "httpx2")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not here")
@pytest.mark.skipif(bool(MISSING), reason=f"the example needs {', '.join(MISSING)}")
def test_the_example_passes_its_tests_and_leaves_nothing_open() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LINKSFIELD_")
    }
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "linksfield_async_pytest"),
            # What this project's tests use beside it is not part of the example.
            *("-p", "no:asyncio", "-p", "no:cacheprovider", "-v"),
        ],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " skipped" not in ran.stdout
    assert ran.stdout.count(" PASSED") >= 10
    assert "--linksfield-seed=1" in ran.stdout
