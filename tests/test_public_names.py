from __future__ import annotations

import subprocess
import sys

import linksfield_async


def test_all_is_sorted_and_there() -> None:
    names = linksfield_async.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name.startswith("_"), name))
    for name in names:
        assert getattr(linksfield_async, name) is not None
    assert set(names) <= set(dir(linksfield_async))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(linksfield_async, "Clint")


def test_importing_pulls_in_nothing_optional() -> None:
    """What is imported lazily, or belongs to an extra, is not there after a plain import."""
    code = (
        "import sys, linksfield_async\n"
        "lazy = ['anyio', 'click', 'rich', 'aiohttp', 'linksfield_async.sandbox',\n"
        "        'linksfield_async.blocking', 'linksfield_async.cli', 'uvloop', 'pyarrow',\n"
        "        'linksfield_async.notifications', 'redis', 'psycopg']\n"
        "print([name for name in lazy if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
