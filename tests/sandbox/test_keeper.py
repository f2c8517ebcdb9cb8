"""A sandbox that is started again finds its world as it left it."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from linksfield_async import errors
from linksfield_async.sandbox import Sandbox, keeper

STATE = "state.json"


@pytest.fixture
def path(tmp_path):
    return tmp_path / STATE


async def test_state_is_kept_over_restarts(path):
    async with Sandbox(cards=50, state=path) as sandbox:
        situation = sandbox.scenarios.active_plan(renewal_due_in_days=1)
    async with Sandbox(cards=50, state=path) as sandbox:
        (order,) = sandbox.world.card(situation.iccid).orders
        assert order.order_no == situation.order.order_no
        sandbox.clock.advance(days=1)
        assert len(sandbox.world.payments) == 2
    assert len(Sandbox(cards=50, state=path).world.payments) == 2


async def test_broken_file_is_told_and_left_alone(path):
    path.write_text("{broken")
    with pytest.raises(errors.ConfigurationError, match="state.json is no saved state, or broken"):
        Sandbox(cards=50, state=path)
    assert path.read_text() == "{broken"
    path.write_text(json.dumps({**Sandbox(cards=50).export_state(), "orders": 5}))
    with pytest.raises(errors.ConfigurationError, match=r"state.json: the state is broken"):
        Sandbox(cards=50, state=path)
    path.write_text(json.dumps(Sandbox(cards=50, seed=2).export_state()))
    with pytest.raises(errors.ConfigurationError, match=r"state.json: .* with seed=2, not 1"):
        Sandbox(cards=50, state=path)


async def test_nothing_is_written_where_it_never_ran(path):
    await Sandbox(cards=50, state=path).close()
    assert not path.exists()


async def test_saved_while_it_runs(path, monkeypatch, until):
    monkeypatch.setattr(keeper, "INTERVAL", 0.01)
    async with Sandbox(cards=50, state=path) as sandbox:
        await until(path.exists)
        sandbox.scenarios.unpaid_order()
        await until(lambda: json.loads(path.read_text())["orders"])


async def test_full_disk_is_told_and_tried_again(path, monkeypatch, until, caplog):
    monkeypatch.setattr(keeper, "INTERVAL", 0.01)
    folder, away = path.parent / "here", path.parent / "away"
    folder.mkdir()
    async with Sandbox(cards=50, state=folder / STATE) as sandbox:
        folder.rename(away)
        sandbox.scenarios.unpaid_order()
        await until(lambda: "cannot be written" in caplog.text)
        away.rename(folder)
        await until((folder / STATE).exists)


async def test_two_sandboxes_on_one_file(path, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(path)
    waiting = Sandbox(cards=50, state=path)
    async with Sandbox(cards=50, state=path) as first:
        for name in (path, link):
            with pytest.raises(errors.ConfigurationError, match="another sandbox uses it"):
                await Sandbox(cards=50, state=name).start()
        first.scenarios.unpaid_order()
    with pytest.raises(errors.ConfigurationError, match="has written it since it was read"):
        await waiting.start()
    with pytest.raises(errors.ConfigurationError, match="not running"):
        assert waiting.url
    await waiting.close()
    assert len(json.loads(path.read_text())["orders"]) == 1
    async with Sandbox(cards=50, state=link) as again:
        again.scenarios.unpaid_order()
    assert link.is_symlink()
    await again.start()
    await again.close()
    assert len(json.loads(path.read_text())["orders"]) == 2


async def test_the_lock_is_given_back_whatever_fails(path, monkeypatch):
    monkeypatch.setattr(keeper, "INTERVAL", 0.001)
    sandbox = Sandbox(cards=50, state=path)
    await sandbox.start()
    sandbox.world.suspended |= {5, "text"}  # cannot be sorted: nothing can be written
    await asyncio.sleep(0.05)
    with pytest.raises(TypeError):
        await sandbox.close()
    async with Sandbox(cards=50, state=path):
        pass


async def test_a_folder_that_is_not_there_is_told_at_the_start(path):
    with pytest.raises(errors.ConfigurationError, match=r"its lock state\.json\.lock cannot be"):
        await Sandbox(cards=50, state=path.parent / "none" / STATE).start()


async def test_saved_although_the_agenda_fails(path):
    sandbox = Sandbox(cards=50, state=path)
    await sandbox.start()
    sandbox.scenarios.unpaid_order()
    sandbox.clock.at(sandbox.clock.now(), lambda when: 1 / 0)
    with pytest.raises(ExceptionGroup):
        await sandbox.close()
    assert len(json.loads(path.read_text())["orders"]) == 1


def run(path):
    command = [sys.executable, "-m", "linksfield_async", "sandbox", "--port", "0"]
    return subprocess.Popen(
        [*command, "--cards", "50", "--state", str(path)], stdout=subprocess.PIPE, text=True
    )


def test_sigterm_saves(path):
    with run(path) as process:
        line = ""
        while "Ctrl-C" not in line:
            line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert json.loads(path.read_text())["settings"]["cards"] == 50
