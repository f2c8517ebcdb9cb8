from __future__ import annotations

from linksfield_async import Client
from linksfield_async.operations import AddSims
from linksfield_async.sandbox import faults

G = "G1003"


async def test_a_finished_change_sends_nothing_more(client, sandbox, cards, fast, tmp_path) -> None:
    settings = {"journal": tmp_path / "run.db", **fast}
    await (await client.groups.add_sims(group_id=G, iccids=cards, **settings))
    sent = sandbox.requests.total
    report = await (await client.groups.add_sims(group_id=G, iccids=cards, **settings))
    assert (report.is_done, len(report.changes), sandbox.requests.total) == (True, 50, sent)


async def test_an_accepted_request_is_polled_and_the_rest_is_sent(
    sandbox, cards, fast, tmp_path
) -> None:
    """The first client is gone before anything is asked for; refusals stand."""
    foreign = next(sandbox.world.iccids("foreign"))
    wanted = [foreign, *cards]
    settings = {"journal": tmp_path / "run.db", "chunk_size": 17, "concurrency": 1, **fast}
    async with Client(sandbox.account) as first:
        sandbox.faults.next("AddSims", faults.slow(0), faults.drop_answer(), faults.drop_request())
        job = await first.groups.add_sims(group_id=G, iccids=wanted, **settings)
        assert job.status().in_doubt == 2
    async with Client(sandbox.account) as second:
        report = await (await second.groups.add_sims(group_id=G, iccids=wanted, **settings))
        assert report.counts | {"extra": 0} == {
            "done": 50,
            "refused": 1,
            "unknown": 0,
            "not_sent": 0,
            "extra": 0,
        }
    async with Client(sandbox.account) as third:
        report = await (await third.groups.add_sims(group_id=G, iccids=wanted, **settings))
        assert (report.counts["done"], report.counts["refused"]) == (50, 1)
    assert len(sandbox.requests.of(AddSims)) == 4
    assert sandbox.world.needless_changes() == []
