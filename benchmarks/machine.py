"""Names the machine and the versions that figures belong to."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import resource
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = (
    "linksfield_async",
    "aiohttp",
    "uvloop",
    "httpx",
    "requests",
    "stripe",
    "openai",
    "elastic-transport",
)


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    told = file.read_text() if file.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def described() -> dict[str, str]:
    """What to print beside any figure."""
    versions = {name: _version(name) for name in _LIBRARIES}
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    } | {name: told for name, told in versions.items() if told is not None}


def allow_many_connections() -> None:
    """Raise the limit of open files, for this process and those it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def open_files() -> int:
    """How many files this process and those it starts may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
