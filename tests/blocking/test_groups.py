from __future__ import annotations

import sqlite3

import pytest
from sandbox_thread import SandboxThread

from linksfield_async import ClientClosed, ConfigurationError, Options, StillUnknown, SyncClient

G = "G1003"
FAST = {"first_poll": 0.01, "longest_poll": 0.05, "settle_for": 0.2}


@pytest.fixture
def sandbox():
    with SandboxThread(cards=200, job_delay=0.03) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox):
    with SyncClient(sandbox.account, options=Options(deadline=5)) as client:
        yield client


@pytest.fixture
def cards(sandbox):
    return [card for card, _ in zip(sandbox.world.iccids(), range(20), strict=False)]


def test_a_job_is_waited_for_and_iterated_over(client, sandbox, cards):
    job = client.groups.add_sims(group_id=G, iccids=cards, **FAST)
    assert job.status().cards == 20
    assert job.group_id == G
    assert len(job.request_ids) == 1
    assert job.wait(timeout=30).is_done
    assert [change.verdict for change in job] == ["done"] * 20
    job = client.groups.remove_sims(group_id=G, iccids=iter(cards), **FAST)
    assert {change.iccid for change in job} == set(cards)
    assert not sandbox.world.groups[G].members
    assert cards[0] not in repr(job)


def test_a_cursor_of_a_database_is_read_in_its_own_thread(client, cards):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE card (iccid TEXT)")
    connection.executemany("INSERT INTO card VALUES (?)", [(card,) for card in cards])
    rows = (row[0] for row in connection.execute("SELECT iccid FROM card"))
    assert client.groups.add_sims(group_id=G, iccids=rows, **FAST).wait().is_done
    connection.close()


def test_a_token_goes_on(client, cards):
    token = client.groups.add_sims(group_id=G, iccids=cards, **FAST).token
    assert client.groups.resume(token, iccids=cards, **FAST).wait().is_done
    assert client.groups.resume(token, **FAST).wait().is_done


def test_a_sync_and_a_repeat(client, sandbox, cards):
    plan = client.groups.sync(group_id=G, iccids=cards, dry_run=True)
    assert len(plan.to_add) == 20
    assert client.groups.sync(group_id=G, iccids=cards, **FAST).is_done
    foreign = next(sandbox.world.iccids("foreign"))
    report = client.groups.add_sims(group_id=G, iccids=[foreign], **FAST).wait()
    again = client.groups.repeat(report, **FAST)
    assert again is not None
    assert again.wait().failed == (foreign,)


def test_a_wait_that_runs_out(client, sandbox, cards):
    sandbox.world.group_behaviour.next(never_ends=True)
    job = client.groups.add_sims(group_id=G, iccids=cards, **FAST)
    with pytest.raises(StillUnknown):
        job.wait(timeout=0.05)
    sandbox.finish_job(job.request_ids[0])
    assert job.wait().is_done


def test_left_in_the_middle_and_after_the_end(sandbox, cards):
    with SyncClient(sandbox.account) as client:
        job = client.groups.add_sims(group_id=G, iccids=cards, **FAST)
        next(iter(job))
    with pytest.raises(ClientClosed):
        job.wait()


async def test_inside_a_running_loop_it_names_the_method_to_await(client, cards):
    with pytest.raises(ConfigurationError, match="await client.groups.sync"):
        client.groups.sync(group_id=G, iccids=cards)
