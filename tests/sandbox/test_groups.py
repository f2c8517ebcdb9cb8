from itertools import islice

import pytest

from linksfield_async.sandbox import Sandbox

GROUPS = "/topup/mall/bundle-groups/bundles"


class Group:
    def __init__(self, call, group_id):
        self.call, self.in_path = call, {"group_id": group_id}
        self.path = f"/topup/mall/bundle-groups/{group_id}/sims"

    async def sims(self):
        return (await self.call(self.path, http="GET", in_path=self.in_path)).data["sim_ids"]

    async def change(self, http, sims):
        return await self.call(self.path, http=http, in_path=self.in_path, sim_ids=sims)

    async def add(self, *sims):
        return (await self.change("POST", sims)).data["request_id"]

    async def remove(self, *sims):
        return (await self.change("DELETE", sims)).data["request_id"]

    async def result(self, request_id):
        path = f"/topup/async-result/{request_id}"
        return await self.call(path, http="GET", in_path={"request_id": request_id})


@pytest.fixture
def spare(call):
    return Group(call, "G1003")


async def test_list_groups(call):
    data = (await call(GROUPS, http="GET")).data
    assert [group["group_id"] for group in data["groups"]] == ["G1001", "G1002", "G1003"]
    assert data["groups"][0] == {
        "group_id": "G1001",
        "group_name": "Europe fleet",
        "bundles": [
            {"bundle_id": "PACKAGE20260101000001", "bundle_name": "Europe 5GB 30-Days"},
            {"bundle_id": "PACKAGE20260101000002", "bundle_name": "Europe 20GB 30-Days"},
        ],
    }
    other = call.of(call.sandbox.world.other_partner)
    groups = (await other(GROUPS, http="GET")).data["groups"]
    assert [group["group_id"] for group in groups] == ["G9001"]


async def test_first_members(call):
    members = await Group(call, "G1001").sims()
    assert len(members) == len(set(members)) == 12
    assert all(call.sandbox.world.is_valid(iccid) for iccid in members)
    assert next(call.sandbox.world.iccids()) not in members


async def test_job_from_pending_to_done(call, spare):
    cards = list(islice(call.sandbox.world.iccids(), 3))
    request_id = await spare.add(*cards)
    seen = []
    for step in (0, 0.15, 0.1, 0.05):
        call.sandbox.clock.advance(seconds=step)
        answer = (await spare.result(request_id)).data
        seen.append((answer["status"], len(answer["results"]), len(await spare.sims())))
    assert seen == [
        ("pending", 0, 0),
        ("processing", 0, 0),
        ("processing", 0, 0),
        ("success", 3, 3),
    ]
    assert answer == {
        "request_id": request_id,
        "status": "success",
        "results": [{"sim_id": iccid, "status": "success"} for iccid in cards],
    }
    assert await spare.sims() == cards


async def test_mixed_results(call, spare):
    world = call.sandbox.world
    good = next(world.iccids())
    cards = [good, good, "x", *(next(world.iccids(kind)) for kind in ("foreign", "suspended"))]
    request_id = await spare.add(*cards)
    call.sandbox.clock.advance(seconds=1)
    answer = (await spare.result(request_id)).data
    assert answer["status"] == "partial"
    assert [(entry["sim_id"], entry.get("message")) for entry in answer["results"]] == [
        (good, None),
        (good, "the card is in the group already"),
        ("x", "the card is unknown"),
        (cards[3], "the card belongs to another partner"),
        (cards[4], "the card is suspended"),
    ]
    assert [entry["status"] for entry in answer["results"]] == ["success"] + ["failed"] * 4
    assert await spare.sims() == [good]


async def test_remove(call):
    group = Group(call, "G1002")
    first, *rest = await group.sims()
    partial = await group.remove(first, "x")
    failed = await group.remove(first)
    call.sandbox.clock.advance(seconds=1)
    assert (await group.result(partial)).data["status"] == "partial"
    answer = (await group.result(failed)).data
    assert answer["status"] == "failed"
    assert answer["results"] == [
        {"sim_id": first, "status": "failed", "message": "the card is not in the group"}
    ]
    assert await group.sims() == rest


@pytest.mark.parametrize("http", ["POST", "DELETE"])
async def test_refused_at_once(call, spare, http):
    assert (await spare.change(http, [])).refusal == "the list of cards is empty"
    for group_id in ("G1", "G9001"):
        reply = await Group(call, group_id).change(http, ["x"])
        assert reply.refusal == "group_id is unknown"
    assert not call.sandbox.world.jobs


async def test_other_partners_groups_and_jobs_are_unknown(call, spare):
    reply = await call(
        "/topup/mall/bundle-groups/G9001/sims", http="GET", in_path={"group_id": "G9001"}
    )
    assert reply.refusal == "group_id is unknown"
    request_id = await spare.add("x")
    stranger = Group(call.of(call.sandbox.world.other_partner), "G9001")
    assert (await stranger.result(request_id)).refusal == "request_id is unknown"
    assert (await spare.result("REQ9")).refusal == "request_id is unknown"


async def test_world_shows_what_fell_due_without_a_request(caller_of, until):
    async with Sandbox(cards=50, job_delay=0.02) as sandbox:
        await Group(caller_of(sandbox), "G1003").add(next(sandbox.world.iccids()))
        await until(lambda: sandbox.world.groups["G1003"].members)
        assert sandbox.requests.total == 1


async def test_job_without_delay_and_in_real_time(caller_of):
    async with Sandbox(cards=50, job_delay=0) as sandbox:
        spare = Group(caller_of(sandbox), "G1003")
        request_id = await spare.add(next(sandbox.world.iccids()))
        assert (await spare.result(request_id)).data["status"] == "success"
    async with Sandbox(cards=50, job_delay=0.02) as sandbox:
        spare = Group(caller_of(sandbox), "G1003")
        request_id = await spare.add(next(sandbox.world.iccids()))
        polls = 0
        while (await spare.result(request_id)).data["status"] in ("pending", "processing"):
            polls += 1
        assert polls > 0
        assert len(sandbox.world.groups["G1003"].members) == 1
