"""The command line `linksfield`: one module for each group of commands."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line; it needs click and rich, which not everybody has."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"linksfield needs {' and '.join(missing)}: pip install 'linksfield_async[cli]'\n"
        )
        sys.exit(2)
    importlib.import_module(".app", __name__).run()
