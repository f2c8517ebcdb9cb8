"""Assertions on the request log, and what they say when they fail."""

import pytest

from linksfield_async.operations import SingleOrder, SingleQueryOrder, SingleVerify
from linksfield_async.sandbox import refuse

VERIFY = "/vshop/singleVerify"


@pytest.fixture
async def requests(call, order, card):
    """One verification, two orders, one of them refused."""
    await call(VERIFY, deviceCode=card)
    await call("/vshop/singleOrder", **order())
    call.sandbox.faults.next("SingleOrder", refuse("no", status=200))
    await call("/vshop/singleOrder", **order("2"))
    return call.sandbox.requests


async def test_counts(requests):
    assert requests.of(SingleVerify).once() is requests[0]
    requests.of(SingleQueryOrder).none()
    assert len(requests.of(SingleOrder).times(2)) == 2
    assert requests.of("SingleOrder").last.params["orderNo"] == "NO2"
    assert requests.of(SingleOrder).carried_out.once().params["orderNo"] == "NO1"
    assert requests.last is requests[-1]


async def test_filters_by_either_name(requests, card, call):
    assert requests.of(SingleOrder, order_no="NO2").once() is requests[2]
    assert requests.of(SingleOrder).where(orderNo="NO2", iccid=card).once() is requests[2]
    requests.of(SingleOrder, order_no="NO3").none()
    group = {"group_id": "G1003"}
    path = "/topup/mall/bundle-groups/G1003/sims"
    await call(path, in_path=group, sim_ids=[card])
    requests.of("AddSims", iccids=(card,), group_id="G1003").once()
    requests.of("AddSims", iccids=[]).none()


async def test_failure_shows_what_was_there(requests, card):
    with pytest.raises(AssertionError) as caught:
        requests.of(SingleOrder).once()
    first, order, refused = str(caught.value).splitlines()
    assert first == "expected SingleOrder once, but the log holds 2"
    assert order.startswith("  #1 SingleOrder 200 (ok) iccid=898")
    assert "order_no='NO1'" in order
    assert "#2 SingleOrder 200 (not carried out) [refuse 200] iccid=" in refused
    assert card not in str(caught.value)


async def test_failure_where_there_is_none(requests, card):
    with pytest.raises(AssertionError) as caught:
        requests.of(SingleOrder, iccid="8985" + "1" * 15).once()
    assert str(caught.value).splitlines() == [
        "expected SingleOrder with iccid=898511…1111 once, but the log holds 0",
        "  received in all: SingleOrder × 2, SingleVerify × 1",
    ]
    with pytest.raises(AssertionError, match="expected SingleQueryOrder at least once"):
        _ = requests.of(SingleQueryOrder).last
    requests.clear()
    with pytest.raises(AssertionError, match="received in all: nothing"):
        requests.of(SingleVerify).times(3)
    with pytest.raises(AssertionError, match="expected any request at least once"):
        _ = requests.last


async def test_long_lists_are_cut(call, card):
    for _ in range(12):
        await call(VERIFY, deviceCode=card)
    with pytest.raises(AssertionError, match="never, but the log holds 12") as caught:
        call.sandbox.requests.of(SingleVerify).none()
    assert str(caught.value).endswith("… and 2 more")


async def test_texts_from_outside_are_escaped(call):
    await call("/vshop/no\u00e9\n")
    await call(VERIFY, deviceCode="a\nb" * 100, area=["a@b.example"])
    with pytest.raises(AssertionError) as caught:
        call.sandbox.requests.of(SingleVerify).none()
    assert len(str(caught.value).splitlines()) == 2
    assert "b.example" not in str(caught.value)


async def test_transcript_leaves_out_what_changes(call, card):
    await call(VERIFY, deviceCode=card, tradeTime="1")
    await call(VERIFY, deviceCode=card, area="x", tradeTime="2", sign="x")
    await call(VERIFY, deviceCode=card, tradeTime="3")
    first, other, again = call.sandbox.requests.transcript()
    assert first.partition(" ")[2] == again.partition(" ")[2]
    assert first.partition(" ")[2] != other.partition(" ")[2]
    assert card not in first
