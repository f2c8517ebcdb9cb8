"""Each contender of the benchmarks sends the POST that it should; nothing is timed here."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers import RawServer

from linksfield_async import signing

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
WORKER = BENCHMARKS / "worker.py"
LISTING = """
import json, sys
from field import CONTENDERS
print(json.dumps({name: one.needs for name, one in CONTENDERS.items()}))
"""


def contenders() -> dict[str, list[str]]:
    """Give what each needs; asked of another process, whose module names stay out of this one."""
    if not WORKER.exists():
        return {}
    told = subprocess.run(
        [sys.executable, "-B", "-c", LISTING],
        cwd=BENCHMARKS,
        check=True,
        capture_output=True,
        text=True,
    )
    listed: dict[str, list[str]] = json.loads(told.stdout)
    return listed


CONTENDERS = contenders()


async def sent_by(name: str, server: RawServer) -> Any:
    """Let one contender make one call, and give what the server saw."""
    server.answers({"operateCode": "S", "data": {}})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-B",
        str(WORKER),
        name,
        server.url,
        "1",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, problems = await process.communicate(b"once\n")
    assert out.split() == [b'"ready"', b'"done"'], problems.decode()
    (seen,) = server.seen
    return seen


@pytest.mark.parametrize("name", CONTENDERS)
async def test_each_contender_sends_one_signed_post(name: str, server: RawServer) -> None:
    missing = [module for module in CONTENDERS[name] if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    seen = await sent_by(name, server)
    assert seen.method == "POST"
    assert seen.path == ("/v2" if name == "stripe" else "") + "/vshop/singleVerify"
    assert seen.headers["content-type"].startswith("application/json")
    params = seen.params
    assert params["deviceCode"] == "8985000000000000000"
    assert params["partnerCode"] == "P000270"
    assert params["tradeType"] == "singleVerify"
    assert re.fullmatch(r"\d{13}", params["tradeTime"])
    assert params["sign"] == signing.sign(params)


@pytest.mark.skipif(not CONTENDERS, reason="the benchmarks are not here")
def test_the_page_and_the_chart_are_those_of_the_recorded_figures() -> None:
    told = subprocess.run(
        [sys.executable, "-B", str(BENCHMARKS / "report.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.skipif(not CONTENDERS, reason="the benchmarks are not here")
def test_the_sandbox_is_measured() -> None:
    told = subprocess.run(
        [sys.executable, "-B", str(BENCHMARKS / "sandbox.py"), "--cards=200", "--calls=100"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "SingleVerify/s on one core" in told.stdout
