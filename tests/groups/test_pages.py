from __future__ import annotations

from typing import Any

import pytest

from linksfield_async import BadAnswer, Client, Sandbox
from linksfield_async.groups.pages import check_is_all
from linksfield_async.operations import AddSims, RemoveSims
from linksfield_async.sandbox.groups import GroupDesk

G = "G1002"  # five members at first


@pytest.mark.parametrize(
    "beside",
    [{"total": 3}, {"totalCount": 9}, {"total_pages": 2}, {"hasMore": True}, {"next": "/page/2"}],
)
def test_a_listing_that_tells_of_more_is_refused(beside: Any) -> None:
    for raw in ({"data": {"sim_ids": ["1", "2"], **beside}}, {"data": ["1", "2"], **beside}):
        with pytest.raises(BadAnswer, match="lists 2 cards and says by"):
            check_is_all(raw, 2)


@pytest.mark.parametrize(
    "beside",
    [{}, {"total": 2}, {"total": True}, {"totalPages": 1}, {"hasNext": False}, {"next": None}],
)
def test_one_that_is_all_is_not(beside: Any) -> None:
    check_is_all({"data": {"sim_ids": ["1", "2"], **beside}}, 2)
    check_is_all(["1", "2"], 2)


async def test_a_blank_member_is_no_card_to_be_removed(client, sandbox, cards, fast) -> None:
    sandbox.world.groups[G].members[" F"] = None
    with pytest.raises(BadAnswer, match="blank ICCID"):
        await client.groups.sync(group_id=G, iccids=cards, **fast)
    assert not sandbox.requests.of(AddSims)


async def test_nothing_is_concluded_from_a_page(
    cards, fast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member on another page is neither added again, nor told as removed."""
    whole = GroupDesk.list_sims

    def page(self: Any, *call: Any) -> Any:
        told = whole(self, *call)
        return {"sim_ids": told["sim_ids"][:2], "total": len(told["sim_ids"])}

    monkeypatch.setattr(GroupDesk, "list_sims", page)
    async with Sandbox(cards=1_000, job_delay=0) as sandbox, Client(sandbox.account) as client:
        members = list(sandbox.world.groups[G].members)
        with pytest.raises(BadAnswer, match="there are more"):
            await client.groups.sync(group_id=G, iccids=[*members, *cards], **fast)
        assert not sandbox.requests.of(AddSims)
        sandbox.world.group_behaviour.next(failing={members[4]: "busy"})
        job = await client.groups.remove_sims(group_id=G, iccids=members[4:], **fast)
        with pytest.raises(BadAnswer, match="there are more"):
            await job
        assert len(sandbox.requests.of(RemoveSims)) == 1
