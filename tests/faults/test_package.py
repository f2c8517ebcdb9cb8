"""The package as a whole: judged by the sandbox, replayed from the pages, imported, guarded."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

import linksfield_async
from linksfield_async import OPERATIONS, Account, Client, Endpoints, Refused
from linksfield_async.messages import Response
from linksfield_async.operation import Model, Operation, wire_fields
from linksfield_async.protocol import build, decode
from linksfield_async.sandbox import Sandbox
from linksfield_async.sandbox.answers import told

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
SAMPLES = {
    entry["name"]: entry["samples"]
    for entry in json.loads((TESTS / "contract" / "operations.json").read_text())["operations"]
    if entry["samples"]
}
KINDS: dict[str, type[Operation[Any]]] = {kind.__name__: kind for kind in OPERATIONS}
GENUINE = {"SingleVerify", "SingleServicePlanPage", "SynOrderInfo"}

# X01


PLANTED = {
    "as it is": None,
    "non-ASCII escaped": ("ensure_ascii=False", "ensure_ascii=True"),
    "spaces": ('separators=(",", ":")', 'separators=(", ", ":")'),
    "upper case": (".hexdigest()", ".hexdigest().upper()"),
    "another digest": ("from hashlib import md5", "from hashlib import sha1 as md5"),
    "GBK": ("return text.encode()", 'return text.encode("gbk")'),
}
CALL = """
import asyncio
from linksfield_async import Client, Refused, Sandbox
from linksfield_async.operations import AddSims, SingleServicePlanPage

async def main():
    async with Sandbox(cards=50) as sandbox, Client(sandbox.account) as client:
        iccid = next(sandbox.world.iccids("valid"))
        for call in (SingleServicePlanPage(iccid=iccid, area="欧洲"),
                     AddSims(group_id="G1003", iccids=[iccid, "1"])):
            try:
                await client.send(call)
            except Refused:
                pass
        print(*(request.outcome for request in sandbox.requests), sep=",")

asyncio.run(main())
"""


@pytest.mark.parametrize("bug", PLANTED)
def test_x01_a_planted_bug_in_signing_is_caught_by_the_sandbox(bug: str, tmp_path: Path) -> None:
    """Package and sandbox both come from the copy: they share no code that signs."""
    package = Path(linksfield_async.__file__).parent
    copy = tmp_path / "linksfield_async"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    planted = PLANTED[bug]
    if planted is not None:
        source = (copy / "signing.py").read_text()
        assert planted[0] in source
        (copy / "signing.py").write_text(source.replace(*planted))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", CALL],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    outcomes = ran.stdout.strip().split(",")
    if planted is None:
        assert outcomes == ["ok", "ok"]
    else:
        # What is encoded otherwise cannot even be read.
        assert {"bad sign", "refused: the body is not readable JSON"} & set(outcomes)


# X03


def operation_of(name: str) -> Operation[Any]:
    kind, sample = KINDS[name], SAMPLES[name]["request"]
    values = {f.python: sample[f.wire.name] for f in wire_fields(kind) if f.wire.name in sample}
    return kind(**values)


@pytest.mark.parametrize("name", sorted(name for name in SAMPLES if "request" in SAMPLES[name]))
async def test_x03_a_documented_request_is_replayed(name: str) -> None:
    """Byte for byte where the sample is genuine; the others have pasted signs and names."""
    sample = SAMPLES[name]["request"]
    async with Sandbox(cards=50, partner_code=sample["partnerCode"]) as sandbox:
        shared = {key: sample[key] for key in ("mark", "terminal") if key in sample}
        account = Account(
            sample["partnerCode"],
            endpoints=sandbox.endpoints,
            language_code=sample.get("languageCode", "1"),
            **shared,
        )
        request = build(operation_of(name), account, int(sample["tradeTime"]))
        async with Client(account) as client:
            with pytest.raises(Refused):
                await client.send(operation_of(name))
        (seen,) = sandbox.requests
        assert seen.operation == name
        assert seen.outcome.startswith("refused: ")
        placeholders = set() if name in GENUINE else {"sign", "tradeType"}
        sent = json.loads(request.body)
        assert sent.keys() == sample.keys()
        assert {k: v for k, v in sent.items() if k not in placeholders} == {
            k: v for k, v in sample.items() if k not in placeholders
        }
        if name in GENUINE:
            rest = {key: sample[key] for key in sorted(sample) if key != "sign"}
            text = json.dumps(
                rest | {"sign": sample["sign"]}, ensure_ascii=False, separators=(",", ":")
            )
            assert request.body == text.encode()
        # The time is stamped anew by the client, so the sign differs.
        differing = {"sign", "tradeType", "tradeTime"}
        assert {k: v for k, v in seen.params.items() if k not in differing} == {
            k: v for k, v in sample.items() if k not in differing
        }


def written(value: Any) -> Any:
    """Write a model back to the wire with the sandbox's own writer."""
    if isinstance(value, Model):
        fields = {field.python for field in wire_fields(type(value))}
        shown = {name: written(getattr(value, name)) for name in fields}
        return told(type(value), **shown) | dict(value.extra)
    if isinstance(value, tuple):
        return [written(one) for one in value]
    return None if value is None else str(value)


@pytest.mark.parametrize("name", sorted(name for name in SAMPLES if "response" in SAMPLES[name]))
def test_x03_a_documented_answer_goes_through_the_model_and_back(name: str) -> None:
    sample = SAMPLES[name]["response"]
    account = Account("P000270", endpoints=Endpoints.TEST)
    # Without fields: the pages' requests and answers are of different cards.
    operation = object.__new__(KINDS[name])
    result, raw = decode(operation, account, Response(200, json.dumps(sample).encode()))
    assert raw == sample
    if result is not None:
        assert written(result) == sample.get("data", sample)
        assert attrs.evolve(result) == result


def test_x03_the_documented_failure_is_read() -> None:
    failure = SAMPLES["SynOrderInfo"]["failure"]
    body = json.dumps(failure["body"]).encode()
    with pytest.raises(Refused) as caught:
        decode(operation_of("SynOrderInfo"), Account("P1"), Response(failure["http"], body))
    assert caught.value.data == failure["body"]["data"]
    assert caught.value.needs_reconciliation


# X07 and X12: the guards must be able to fail a test


OUTSIDE = {
    "connect": "socket.create_connection(('192.0.2.1', 80), 1)",
    "lookup": "socket.getaddrinfo('wx.linksfield.net', 443)",
    "datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
}
LEAKS = {
    "threads": "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "sockets": "kept.append(socket.socket())",
    "selectors": "kept.append(selectors.EpollSelector())",
    "files": "kept.append(open(__file__))",
    "pipes": "kept.extend(os.pipe())",
    "temporary files": "kept.append(tempfile.mkstemp()); os.close(kept.pop()[0])",
    "tasks": "kept.append(asyncio.get_running_loop().create_task(asyncio.sleep(9)))",
}
IMPORTS = (
    "import asyncio, contextlib, os, selectors, socket, tempfile, threading, time\nkept = []\n"
)
GOOD = """
async def test_cleans_up(tmp_path):
    (tmp_path / "x").write_text("x")
    await asyncio.create_task(asyncio.sleep(0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
"""


def name_of(probe: str) -> str:
    return probe.replace(" ", "_")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run bad tests under this suite's guards, and one that is good; gives what pytest says."""
    place = tmp_path_factory.mktemp("guarded")
    # What is leaked on purpose is not waited for.
    hasty = "\nstill_open.__defaults__ = (0.01,)\n"
    (place / "conftest.py").write_text((TESTS / "conftest.py").read_text() + hasty)
    code = [IMPORTS, GOOD]
    for way, call in OUTSIDE.items():
        # Even where the code under test swallows the refusal.
        code.append(f"def test_{way}():\n    with contextlib.suppress(OSError):\n        {call}\n")
    code += [f"async def test_{name_of(leak)}():\n    {call}\n" for leak, call in LEAKS.items()]
    (place / "test_probe.py").write_text("\n".join(code))
    (place / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {TESTS / 'support'} {ROOT}\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-rpE", "--tb=line", "-p", "no:cacheprovider"],
        cwd=place,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("way", OUTSIDE)
def test_x07_a_test_that_reaches_outside_fails(way: str, guarded: str) -> None:
    assert f"ERROR test_probe.py::test_{way} - Failed: the test reached beyond" in guarded


@pytest.mark.parametrize("leak", LEAKS)
def test_x12_a_test_that_leaves_something_behind_fails(leak: str, guarded: str) -> None:
    told = rf"ERROR test_probe.py::test_{name_of(leak)} - Failed: left (open|behind).*{leak}"
    assert re.search(told, guarded), guarded


def test_x12_a_test_that_cleans_up_passes(guarded: str) -> None:
    assert "ERROR test_probe.py::test_cleans_up" not in guarded
    assert "PASSED test_probe.py::test_cleans_up" in guarded


# X09


EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
MODULES = {"opentelemetry-api": "opentelemetry"}
FEATURES = {
    "cli": "linksfield_async.cli.app",
    "otel": "linksfield_async.telemetry.otel",
    "parquet": "linksfield_async.bulk.files.parquet",
    "speed": "uvloop",
    "redis": "linksfield_async.notifications.redis",
    "postgres": "linksfield_async.notifications.postgres",
}
WITHOUT = """
import importlib, sys

class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in barred:
            raise ModuleNotFoundError(f"{name} is an extra that is not installed", name=name)

sys.meta_path.insert(0, Barred())
import linksfield_async
for name in linksfield_async.__all__:
    if name not in lazy:
        getattr(linksfield_async, name)
loaded = sorted(barred & {name.partition(".")[0] for name in sys.modules})
"""


def modules_of(extra: str) -> set[str]:
    names = (re.split(r"[\\[<>=!~; ]", requirement)[0] for requirement in EXTRAS[extra])
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def run_without(barred: set[str], rest: str) -> str:
    code = f"barred = {barred!r}\nlazy = set()\n{WITHOUT}{rest}"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_x09_the_package_works_without_any_extra() -> None:
    every = set().union(*map(modules_of, EXTRAS))
    use = """
import asyncio
from linksfield_async import Client, Sandbox, SyncClient

async def main():
    async with Sandbox(cards=20) as sandbox, Client(sandbox.account) as client:
        await client.vshop.verify_card(iccid=next(sandbox.world.iccids("valid")))

asyncio.run(main())
print(loaded)
"""
    assert run_without(every, use) == "[]"


@pytest.mark.parametrize("extra", EXTRAS)
def test_x09_each_extra_alone_is_enough_for_its_feature(extra: str) -> None:
    own = modules_of(extra)
    missing = [name for name in own if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    others = set().union(*map(modules_of, EXTRAS)) - own
    told = run_without(others, f"importlib.import_module({FEATURES[extra]!r})\nprint(loaded)")
    assert told == "[]"
