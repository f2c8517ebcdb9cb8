"""Changes of groups against a service that loses, delays and contradicts itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from group_program import QUICK, program
from killing import KILLS, Killer, finish
from sandbox_thread import SandboxThread

from linksfield_async import Client, Options, Sandbox, StillUnknown
from linksfield_async.groups import StatusWords
from linksfield_async.operations import AddSims, GetAsyncResult, ListGroupSims, RemoveSims
from linksfield_async.sandbox import faults

GROUP = "G1003"  # empty at first
FAST: dict[str, Any] = {"first_poll": 0.01, "longest_poll": 0.05, "settle_for": 0.3}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(cards=2_000, job_delay=0.05) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    options = Options(deadline=5, group_polls=2_000)
    async with Client(sandbox.account, options=options) as client:
        yield client


def good(sandbox: Sandbox, count: int) -> list[str]:
    return list(islice(sandbox.world.iccids("valid"), count))


def members(sandbox: Sandbox) -> list[str]:
    return list(sandbox.world.groups[GROUP].members)


def sent(sandbox: Sandbox, operation: Any) -> list[list[str]]:
    return [request.params["sim_ids"] for request in sandbox.requests.of(operation)]


@pytest.mark.parametrize("shape", ["missing", "empty", "repeated"])
async def test_g01_a_request_id_that_tells_nothing_leaves_it_in_doubt(
    client: Client, sandbox: Sandbox, shape: Any
) -> None:
    """What became of the cards the group tells; nothing is sent again."""
    cards = good(sandbox, 4)
    first = await client.groups.add_sims(group_id=GROUP, iccids=cards[:2], **FAST)
    sandbox.world.group_behaviour.next(request_id=shape)
    job = await client.groups.add_sims(group_id=GROUP, iccids=cards[2:], **FAST)
    assert job.status().in_doubt == 1
    assert job.request_ids == ()
    report = await job
    assert report.is_done
    assert all(one.is_member for one in report.changes)
    assert (await first).is_done
    assert len(sandbox.requests.of(AddSims)) == 2


async def test_g01_a_request_id_that_is_a_number_is_kept_as_text(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.world.group_behaviour.request_id = "number"
    job = await client.groups.add_sims(group_id=GROUP, iccids=good(sandbox, 2), **FAST)
    (request_id,) = job.request_ids
    assert request_id.isdigit()
    assert (await job).is_done
    assert sandbox.requests.of(GetAsyncResult)[-1].path.endswith(f"/{request_id}")


async def test_g03_a_status_that_is_never_final_ends_in_still_unknown(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.world.group_behaviour.next(never_ends=True)
    job = await client.groups.add_sims(
        group_id=GROUP, iccids=good(sandbox, 2), **FAST | {"within": 0.3}
    )
    with pytest.raises(StillUnknown, match="processing") as caught:
        await job
    assert caught.value.request_ids == job.request_ids
    assert caught.value.carried_out is None
    raw = caught.value.data[job.request_ids[0]]
    assert raw["data"]["status"] == "processing"
    sandbox.finish_job(job.request_ids[0])
    assert (await job).is_done


async def test_g03_a_wait_that_runs_out_leaves_the_job_usable(
    client: Client, sandbox: Sandbox
) -> None:
    job = await client.groups.add_sims(group_id=GROUP, iccids=good(sandbox, 2), **FAST)
    with pytest.raises(StillUnknown, match="after 0 s"):
        await job.wait(timeout=0)
    assert (await job.wait(timeout=30)).is_done


async def test_g03_an_unknown_word_is_kept_and_waited_on(client: Client, sandbox: Sandbox) -> None:
    sandbox.world.group_behaviour.words = {"success": "完成"}
    job = await client.groups.add_sims(
        group_id=GROUP, iccids=good(sandbox, 1), **FAST | {"within": 0.3}
    )
    with pytest.raises(StillUnknown) as caught:
        await job
    assert caught.value.data[job.request_ids[0]]["data"]["status"] == "完成"
    assert "完成" in job.status().words
    words = StatusWords(final=["完成"])
    job = await client.groups.resume(job.token, words=words, **FAST)
    assert (await job).is_done


async def test_g03_back_from_done_to_running_is_noted_and_waited_for(
    client: Client, sandbox: Sandbox
) -> None:
    """Told as done while the group does not show it: asked once more, and waited for."""
    cards = good(sandbox, 2)
    sandbox.world.group_behaviour.next(delay=0.6, words={"pending": "success"})
    job = await client.groups.add_sims(group_id=GROUP, iccids=cards, **FAST)
    report = await job
    assert report.is_done
    assert report.contradictions == (
        f"{job.request_ids[0]}: went back from 'success' to 'processing'",
    )


@pytest.mark.parametrize("unknown_as", ["404", "refused"])
async def test_g03_an_id_that_is_unknown_at_first_is_put_up_with(
    client: Client, sandbox: Sandbox, unknown_as: Any
) -> None:
    sandbox.world.group_behaviour.next(result_delay=0.2, unknown_as=unknown_as)
    job = await client.groups.add_sims(group_id=GROUP, iccids=good(sandbox, 2), **FAST)
    report = await job
    assert report.is_done
    assert report.changes[0].reason == ""  # the result told it
    refused = [r for r in sandbox.requests.of(GetAsyncResult) if r.status != 200]
    assert refused


async def test_g03_a_result_that_vanishes_is_settled_by_the_group(
    client: Client, sandbox: Sandbox
) -> None:
    cards = good(sandbox, 2)
    sandbox.world.group_behaviour.next(delay=0.2, vanishes_after=1)
    job = await client.groups.add_sims(
        group_id=GROUP, iccids=cards, **FAST | {"grace": 0.1, "settle_for": 5.0}
    )
    report = await job
    assert report.is_done
    assert "no result tells of it" in report.changes[0].reason
    assert len(sandbox.requests.of(AddSims)) == 1


async def test_g04_each_card_has_its_own_outcome(client: Client, sandbox: Sandbox) -> None:
    """Some failed, some missing from the result, some extra; the group itself decides."""
    cards = good(sandbox, 7)
    *asked, stranger = cards
    sandbox.world.group_behaviour.next(
        failing={asked[0]: "no contract"}, missing=asked[1:2], extra=[stranger]
    )
    sandbox.world.group_behaviour.next(missing=asked[3:4], missing_carried_out=False)
    first = await client.groups.add_sims(group_id=GROUP, iccids=asked[:3], **FAST)
    second = await client.groups.add_sims(group_id=GROUP, iccids=asked[3:], **FAST)
    report = await first
    told = {one.iccid: (one.verdict, one.reason) for one in report.changes}
    assert told[asked[0]] == ("refused", "no contract")
    assert told[asked[1]] == ("done", "shown by the group, no result tells of it")
    assert told[asked[2]] == ("done", "")
    assert [(one.iccid, one.verdict) for one in report.extra] == [(stranger, "extra")]
    report = await second
    told = {one.iccid: (one.verdict, one.reason) for one in report.changes}
    assert told[asked[3]][0] == "unknown"
    assert "missing from the result" in told[asked[3]][1]
    assert report.failed == (asked[3],)
    assert sandbox.requests.of(ListGroupSims)
    assert members(sandbox) == [asked[1], asked[2], *asked[4:]]


async def test_g04_done_in_the_result_and_not_in_the_group_is_unknown(
    client: Client, sandbox: Sandbox
) -> None:
    cards = good(sandbox, 2)
    sandbox.world.group_behaviour.next(
        failing=cards[:1], card_words={"failed": "success"}, words={"partial": "success"}
    )
    report = await (await client.groups.add_sims(group_id=GROUP, iccids=cards, **FAST))
    verdicts = {one.iccid: one for one in report.changes}
    assert verdicts[cards[0]].verdict == "unknown"
    assert "says it is done, but the group" in verdicts[cards[0]].reason
    assert verdicts[cards[1]].verdict == "done"


@pytest.mark.parametrize("carried_out", [True, False])
async def test_g05_a_lost_answer_is_settled_by_listing(
    client: Client, sandbox: Sandbox, carried_out: bool
) -> None:
    lost = faults.drop_answer() if carried_out else faults.drop_request()
    sandbox.faults.next("AddSims", lost)
    cards = good(sandbox, 3)
    job = await client.groups.add_sims(group_id=GROUP, iccids=cards, **FAST)
    assert job.status().in_doubt == 1
    report = await job
    assert {one.verdict for one in report.changes} == {"done" if carried_out else "unknown"}
    assert len(sandbox.requests.of(AddSims)) == 1
    again = await client.groups.repeat(report, **FAST)
    if carried_out:
        assert again is None
    else:
        assert again is not None
        assert (await again).is_done
    assert sandbox.world.needless_changes() == []


async def test_g05_what_is_shown_is_not_sent_again(
    client: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    """With a journal, in another client: the lost request was carried out in the meantime."""
    cards = good(sandbox, 30)
    sandbox.faults.next("AddSims", faults.slow(0), faults.drop_answer())
    settings = {"chunk_size": 10, "concurrency": 1, "journal": tmp_path / "run.db", **FAST}
    settings["settle_for"] = 0.0  # the first client gives up at once
    async with Client(sandbox.account) as first:
        job = await first.groups.add_sims(group_id=GROUP, iccids=cards, **settings)
        assert job.status().in_doubt == 1
    await asyncio.sleep(0.1)
    settings["settle_for"] = 1.0
    job = await client.groups.add_sims(group_id=GROUP, iccids=cards, **settings)
    assert (await job).is_done
    assert len(sandbox.requests.of(AddSims)) == 3
    assert sandbox.world.needless_changes() == []


@pytest.mark.parametrize("too_many", ["refused", "413", "413 page"])
async def test_g06_a_refusal_by_size_halves_the_requests_and_is_remembered(
    client: Client, sandbox: Sandbox, too_many: Any
) -> None:
    sandbox.world.group_behaviour.max_cards = 60
    sandbox.world.group_behaviour.too_many = too_many
    cards = good(sandbox, 1_000)
    report = await (await client.groups.add_sims(group_id=GROUP, iccids=cards, **FAST))
    assert report.is_done
    sizes = [len(one) for one in sent(sandbox, AddSims)]
    assert sizes[:5] == [1_000, 500, 250, 125, 62]
    assert max(sizes[6:]) == 31
    sandbox.requests.clear()
    report = await (await client.groups.remove_sims(group_id=GROUP, iccids=cards, **FAST))
    assert report.is_done
    assert max(len(one) for one in sent(sandbox, RemoveSims)) == 31
    assert sandbox.world.needless_changes() == []


async def test_g06_down_to_single_cards_and_no_further(client: Client, sandbox: Sandbox) -> None:
    cards = good(sandbox, 5)
    sandbox.world.group_behaviour.max_cards = 1
    report = await (await client.groups.add_sims(group_id=GROUP, iccids=cards, **FAST))
    assert report.is_done
    sandbox.world.group_behaviour.max_cards = 0
    with pytest.raises(Exception, match="at most 0"):
        await client.groups.remove_sims(group_id=GROUP, iccids=cards, **FAST)
    assert members(sandbox) == cards


async def test_g07_changes_of_the_same_card_wait_for_each_other(
    client: Client, sandbox: Sandbox
) -> None:
    cards = good(sandbox, 4)

    async def change(name: str, iccids: list[str]) -> Any:
        method = getattr(client.groups, f"{name}_sims")
        return await (await method(group_id=GROUP, iccids=iccids, **FAST))

    reports = await asyncio.gather(
        change("add", cards[:3]),
        change("remove", cards[2:3]),
        change("add", cards[2:3]),
        change("add", cards[3:]),
    )
    assert all(report.is_done for report in reports)
    log = [r for r in sandbox.requests if r.operation in ("AddSims", "RemoveSims")]
    assert [r.operation for r in log] == ["AddSims", "AddSims", "RemoveSims", "AddSims"]
    assert sorted(members(sandbox)) == sorted(cards)
    assert sandbox.world.needless_changes() == []


async def test_g08_polls_obey_the_limit_and_are_spread(sandbox: Sandbox) -> None:
    cards = good(sandbox, 300)
    options = Options(group_polls=200, deadline=5)
    async with Client(sandbox.account, options=options) as client:
        jobs = [
            await client.groups.add_sims(
                group_id=GROUP, iccids=[card], verify=False, first_poll=0.1, longest_poll=0.5
            )
            for card in cards
        ]
        reports = await asyncio.gather(*jobs)
    assert all(report.is_done for report in reports)
    times = [r.time.timestamp() for r in sandbox.requests.of(GetAsyncResult)]
    for start in times:
        assert sum(start <= one < start + 0.5 for one in times) <= 0.5 * 200 * 1.2 + 16


async def test_g09_failing_polls_take_nothing_from_the_pauses(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.rate(0.5, faults.server_error(503), operation="GetAsyncResult")
    cards = good(sandbox, 6)
    jobs = [await client.groups.add_sims(group_id=GROUP, iccids=[card], **FAST) for card in cards]
    reports = await asyncio.gather(*jobs)
    assert all(report.is_done for report in reports)
    assert any(r.status == 503 for r in sandbox.requests.of(GetAsyncResult))


CARDS = 20_000
SETTLE = 1.5
"""Longer than a job takes to be carried out; kills come before, while and after this is waited."""
posix = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")


class Log:
    """What a killer needs of a server."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def total(self) -> int:
        return self._sandbox.requests.total


def killed_and_finished(
    sandbox: Sandbox,
    tmp_path: Path,
    wanted: list[str],
    kind: str,
    kills: int,
    span: float = SETTLE + 2.0,
    **settings: Any,
) -> None:
    file = tmp_path / "cards.txt"
    file.write_text("\n".join(wanted))

    def start() -> Any:
        return program(
            url=sandbox.url,
            group=GROUP,
            cards=str(file),
            journal=str(tmp_path / "run.db"),
            kind=kind,
            settle_for=SETTLE,
            **QUICK,
            **settings,
        )

    killed = Killer(Log(sandbox)).kill(start, kills, span)  # type: ignore[arg-type]
    assert killed, "it ended each time before it was killed"
    # An answer that was lost to a request that was not carried out stays unknown; the next run on
    # the journal settles it and sends it again.
    for _ in range(3):
        out, _ = finish(start())
        if '"is_done": true' in out:
            break
    assert '"is_done": true' in out


@posix
@pytest.mark.timeout(900)
def test_g02_a_sync_killed_at_random_moments_changes_nothing_needlessly(tmp_path: Path) -> None:
    """20,000 cards in requests of 100; some answers are lost beside the kills."""
    # The more kills, the slower the answers, so that there is something to be killed.
    with SandboxThread(cards=30_000, job_delay=0.2, latency=0.01 * KILLS) as sandbox:
        cards = good(sandbox, CARDS + 2_000)
        surplus, wanted = cards[:2_000], cards[2_000:]
        sandbox.world.groups[GROUP].members.update(dict.fromkeys([*surplus, *wanted[:500]]))
        sandbox.world.group_behaviour.delay_spread = 0.3
        sandbox.world.group_behaviour.max_cards = 100
        sandbox.faults.rate(0.01, faults.drop_answer(), operation="AddSims")
        killed_and_finished(sandbox, tmp_path, wanted, "sync", KILLS)
        assert set(members(sandbox)) == set(wanted)
        assert sandbox.world.needless_changes() == []


@posix
@pytest.mark.timeout(900)
def test_g02_a_sync_killed_with_hidden_cards_changes_nothing_needlessly(tmp_path: Path) -> None:
    with SandboxThread(cards=6_000, job_delay=0.2, latency=0.1) as sandbox:
        cards = good(sandbox, 4_000)
        surplus, wanted = cards[:2_000], cards[2_000:]
        sandbox.world.groups[GROUP].members.update(dict.fromkeys([*surplus, *wanted[:500]]))
        sandbox.world.group_behaviour.delay_spread = 0.3
        sandbox.faults.rate(0.02, faults.drop_answer(), operation="RemoveSims")
        key = "a key of sixteen or more"
        kills = min(KILLS, 5)
        killed_and_finished(
            sandbox, tmp_path, wanted, "sync", kills, span=1.0, chunk_size=50, key=key
        )
        assert set(members(sandbox)) == set(wanted)
        assert sandbox.world.needless_changes() == []
    stored = (tmp_path / "run.db").read_bytes()
    assert not [card for card in cards if card.encode() in stored]


@posix
@pytest.mark.timeout(900)
def test_g02_an_add_killed_between_accepted_and_first_poll_goes_on(tmp_path: Path) -> None:
    with SandboxThread(cards=3_000, job_delay=0.3, latency=0.2) as sandbox:
        wanted = good(sandbox, 1_000)
        killed_and_finished(sandbox, tmp_path, wanted, "add", min(KILLS, 5), chunk_size=20)
        assert set(members(sandbox)) == set(wanted)
        assert sandbox.world.needless_changes() == []
