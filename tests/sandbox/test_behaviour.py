"""The awkward group service: limits, failures per card, and results told in odd ways."""

from itertools import islice

import aiohttp
import pytest

from linksfield_async import errors
from linksfield_async.operations import AddSims
from linksfield_async.sandbox import GroupBehaviour, Sandbox, drop_answer, server_error
from linksfield_async.sandbox.behaviour import names

PATH = "/topup/mall/bundle-groups/G1003/sims"
IN_PATH = {"group_id": "G1003"}


@pytest.fixture
def behaviour(sandbox):
    return sandbox.world.group_behaviour


@pytest.fixture
def change(call):
    async def change(cards, http="POST"):
        return await call(PATH, http=http, in_path=IN_PATH, sim_ids=list(cards))

    return change


@pytest.fixture
def add(change):
    async def add(*cards):
        return (await change(cards)).data["request_id"]

    return add


@pytest.fixture
def poll(call):
    async def poll(request_id):
        path = f"/topup/async-result/{request_id}"
        return await call(path, http="GET", in_path={"request_id": str(request_id)})

    return poll


@pytest.fixture
def done(call, poll):
    async def done(request_id):
        call.sandbox.clock.advance(seconds=1)
        return (await poll(request_id)).data

    return done


@pytest.fixture
def members(sandbox):
    return lambda: list(sandbox.world.groups["G1003"].members)


@pytest.fixture
def cards(sandbox):
    return list(islice(sandbox.world.iccids(), 20))


async def test_size_limit(behaviour, change, cards, sandbox):
    behaviour.max_cards = 3
    message = "at most 3 sim_ids may be given in one request, not 4"
    assert (await change(cards[:4])).refusal == message
    assert sandbox.requests[-1].outcome == "refused: 4 cards are too many"
    behaviour.too_many = "413"
    reply = await change(cards[:4])
    assert (reply.status, reply.body["message"]) == (413, message)
    assert not sandbox.world.jobs
    assert (await change(cards[:3])).data


async def test_size_limit_as_a_page(behaviour, session, change, cards, sandbox):
    behaviour.max_cards, behaviour.too_many = 0, "413 page"
    with pytest.raises(AssertionError, match="413 Request Entity Too Large"):
        await change(cards[:1])
    assert sandbox.requests[-1].status == 413


async def test_failures_by_card(behaviour, add, done, cards, members):
    behaviour.failing = {cards[0]: "no coverage", cards[2]: "barred"}
    answer = await done(await add(*cards[:4]))
    assert [entry.get("message") for entry in answer["results"]] == [
        "no coverage", None, "barred", None
    ]  # fmt: skip
    assert answer["status"] == "partial"
    assert members() == [cards[1], cards[3]]


async def test_failures_by_share_repeat_with_the_seed(caller_of):
    async def failed(seed):
        async with Sandbox(cards=200, seed=seed, job_delay=0) as sandbox:
            sandbox.world.group_behaviour.failure_share = 0.5
            cards = list(islice(sandbox.world.iccids(), 40))
            reply = await caller_of(sandbox)(PATH, in_path=IN_PATH, sim_ids=cards)
            outcomes = sandbox.world.jobs[reply.data["request_id"]].outcomes
            return [outcome.problem is not None for outcome in outcomes]

    first = await failed(1)
    assert first == await failed(1) != await failed(2)
    assert 8 < sum(first) < 32


async def test_missing_and_extra_cards(behaviour, add, done, cards, members):
    behaviour.missing, behaviour.extra = [cards[1]], [cards[9]]
    answer = await done(await add(*cards[:3]))
    assert [entry["sim_id"] for entry in answer["results"]] == [cards[0], cards[2], cards[9]]
    assert members() == cards[:3]
    behaviour.missing_carried_out = False
    behaviour.missing, behaviour.missing_share = [], 1.0
    answer = await done(await add(*cards[4:6]))
    assert [entry["sim_id"] for entry in answer["results"]] == [cards[9]]
    assert members() == cards[:3]


async def test_words(behaviour, add, poll, done, cards):
    behaviour.words = {"pending": "QUEUED", "success": "FINE"}
    behaviour.card_words = {"success": "ok"}
    request_id = await add(cards[0])
    assert (await poll(request_id)).data["status"] == "QUEUED"
    answer = await done(request_id)
    assert (answer["status"], answer["results"][0]["status"]) == ("FINE", "ok")


async def test_delay_of_each_job(behaviour, add, cards, sandbox):
    behaviour.next(delay=60)
    behaviour.next(delay=5)
    behaviour.delay, behaviour.delay_spread = 10, 100
    for card in cards[:5]:
        await add(card)
    delays = [(job.due - job.accepted).total_seconds() for job in sandbox.world.jobs.values()]
    assert delays[:2] == [60, 5]
    assert all(10 <= delay <= 110 for delay in delays[2:])
    assert len(set(delays)) == 5


async def test_what_is_set_later_leaves_jobs_alone(behaviour, add, done, cards):
    request_id = await add(cards[0])
    behaviour.failure_share = 1
    assert (await done(request_id))["status"] == "success"


@pytest.mark.parametrize(("unknown_as", "status"), [("404", 404), ("refused", 400)])
async def test_id_unknown_at_first_and_result_that_vanishes(
    behaviour, add, poll, cards, sandbox, unknown_as, status
):
    behaviour.result_delay, behaviour.vanishes_after = 2, 3
    behaviour.unknown_as = unknown_as
    request_id = await add(cards[0])
    seen = []
    for _ in range(5):
        seen.append((await poll(request_id)).status)
        sandbox.clock.advance(seconds=1)
    assert seen == [status, status, 200, status, status]
    assert sandbox.requests[-1].outcome == "refused: request_id is unknown"


async def test_relapse(behaviour, add, poll, cards, sandbox):
    behaviour.relapses = 2
    request_id = await add(cards[0])
    sandbox.clock.advance(seconds=1)
    answers = [(await poll(request_id)).data for _ in range(4)]
    assert [answer["status"] for answer in answers] == [
        "success", "processing", "processing", "success"
    ]  # fmt: skip
    assert [len(answer["results"]) for answer in answers] == [1, 0, 0, 1]


async def test_job_that_never_ends(behaviour, add, poll, cards, sandbox, members):
    behaviour.never_ends = True
    endless = await add(cards[0])
    behaviour.clear()
    behaviour.never_tells = True
    silent = await add(cards[1])
    sandbox.clock.advance(days=30)
    assert members() == [cards[1]]
    for request_id in (endless, silent):
        assert (await poll(request_id)).data["status"] == "processing"
        sandbox.finish_job(request_id)
        sandbox.finish_job(request_id)
        assert (await poll(request_id)).data["status"] == "success"
    assert members() == [cards[1], cards[0]]
    with pytest.raises(errors.ConfigurationError, match="no group job has the request id x"):
        sandbox.finish_job("x")


async def test_request_ids(behaviour, add, change, poll, cards, sandbox):
    first = await add(cards[0])
    behaviour.next(request_id="missing")
    assert (await change(cards[1:2])).data == {}
    behaviour.next(request_id="empty")
    assert await add(cards[2]) == ""
    behaviour.next(request_id="number")
    number = await add(cards[3])
    assert isinstance(number, int)
    assert (await poll(number)).data["status"] == "pending"
    behaviour.next(request_id="repeated")
    assert str(await add(cards[4])) == str(number)
    assert len(sandbox.world.jobs) == 5
    assert first == "REQ0000000001"


async def test_needless_changes(add, change, done, cards, sandbox, members, behaviour):
    world = sandbox.world
    request_id = await add(cards[0], cards[1])
    assert world.needless_changes() == []
    # Accepted, but not carried out yet: one more add is needless, a removal is not.
    await add(cards[0])
    (again,) = world.needless_changes()
    assert (again.iccid, again.adding, again.group_id) == (cards[0], True, "G1003")
    assert cards[0] not in repr(again)
    await change([cards[1]], "DELETE")
    await done(request_id)
    assert members() == [cards[0]]
    await change([cards[1]], "DELETE")
    behaviour.next(failing=[cards[5]])
    await done(await add(cards[5]))
    # It failed, so it is no member: to add it again is what one should do.
    await add(cards[5], cards[6])
    assert [(one.iccid, one.adding) for one in world.needless_changes()] == [
        (cards[0], True), (cards[1], False)
    ]  # fmt: skip
    behaviour.max_cards = 1
    await change(cards[:2])
    assert len(world.needless_changes()) == 2


def test_clear_takes_all_back():
    behaviour = GroupBehaviour(max_cards=5, failing=["1"], words={"success": "x"})
    behaviour.next(delay=5)
    behaviour.clear()
    assert behaviour == GroupBehaviour()
    assert behaviour.taken().delay is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_cards": -1},
        {"max_cards": True},
        {"too_many": "418"},
        {"request_id": "odd"},
        {"delay": -1},
        {"delay_spread": "1"},
        {"failure_share": 1.5},
        {"missing_share": float("nan")},
        {"failing": "8985"},
        {"missing": "8985"},
        {"extra": "8985"},
        {"never_ends": 1},
        {"relapses": 0.5},
        {"vanishes_after": "x"},
        {"unknown_as": "500"},
    ],
)
def test_wrong_settings(wrong):
    (name,) = wrong
    assert name in names()
    behaviour = GroupBehaviour()
    for setting in (GroupBehaviour, behaviour.next):
        with pytest.raises(errors.ConfigurationError, match=name):
            setting(**wrong)
    with pytest.raises(errors.ConfigurationError, match=name):
        setattr(behaviour, name, wrong[name])


def test_unknown_setting():
    with pytest.raises(
        errors.ConfigurationError, match=r"speed.*; a group's behaviour has max_cards, "
    ):
        GroupBehaviour().next(speed=1)


async def test_answers_of_adds_and_polls_go_wrong_as_any(call, add, poll, cards, sandbox):

    sandbox.faults.next(AddSims, drop_answer())
    sandbox.faults.next("GetAsyncResult", server_error(envelope=True))
    with pytest.raises(aiohttp.ClientError, match="disconnected"):
        await add(cards[0])
    (job,) = sandbox.world.jobs
    assert (await poll(job)).status == 503
    assert (await poll(job)).status == 200
