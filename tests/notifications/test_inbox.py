"""What every inbox promises, tried on each kind."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator

import attrs
import pytest
from inboxes import DURABLE, KINDS, fresh_address, inbox_at, opened

from linksfield_async.errors import ConfigurationError
from linksfield_async.notifications import MemoryInbox
from linksfield_async.notifications.inbox import Claim, Inbox, Standing, Stored

ONE = Stored(
    key="k" * 64,
    body=b'{"orderNo":"1"}',
    authenticity="signed",
    key_id="key-1",
    version="1.0",
    timestamp_ms=1_700_000_000_123,
)
BARE = Stored(key="b", body=b"\x00\xff{}", authenticity="unsigned")


@pytest.fixture(params=KINDS)
async def address(request: pytest.FixtureRequest) -> str:
    return await fresh_address(request.param, request)


@pytest.fixture
async def inbox(address: str) -> AsyncIterator[Inbox]:
    async with opened(address) as inbox:
        yield inbox


async def claimed(inbox: Inbox, stored: Stored = ONE, lease: float = 60.0) -> Claim:
    claim = await inbox.acquire(stored, lease=lease)
    assert isinstance(claim, Claim)
    return claim


async def test_claim_and_done(inbox: Inbox) -> None:
    claim = await claimed(inbox)
    assert (claim.stored, claim.attempt) == (ONE, 1)
    assert await inbox.acquire(ONE, lease=60) is Standing.RUNNING
    assert await inbox.finish(claim)
    assert await inbox.acquire(ONE, lease=60) is Standing.DONE
    assert await inbox.keep(ONE) is Standing.DONE
    assert not await inbox.finish(claim)
    assert await inbox.take(lease=60, limit=10) == []
    assert isinstance(await inbox.acquire(BARE, lease=60), Claim)


async def test_a_released_claim_is_free_for_a_resend_at_once(inbox: Inbox) -> None:
    await inbox.release(await claimed(inbox), pause=60)
    assert await inbox.take(lease=60, limit=10) == []
    again = await claimed(inbox)
    assert again.attempt == 2


async def test_a_lease_that_ran_out_is_taken_over_and_the_first_cannot_finish(
    inbox: Inbox,
) -> None:
    first = await claimed(inbox, lease=0.01)
    await asyncio.sleep(0.05)
    second = await claimed(inbox)
    assert not await inbox.finish(first)
    await inbox.release(first, failed=True)  # changes nothing either
    assert await inbox.finish(second)
    assert await inbox.acquire(ONE, lease=60) is Standing.DONE


async def test_what_was_left_over_is_taken(inbox: Inbox) -> None:
    await claimed(inbox, lease=0.01)
    await claimed(inbox, BARE, lease=60)
    await asyncio.sleep(0.05)
    (claim,) = await inbox.take(lease=60, limit=10)
    assert (claim.stored, claim.attempt) == (ONE, 2)
    assert await inbox.take(lease=60, limit=10) == []
    assert await inbox.finish(claim)


async def test_kept_messages_wait_and_are_taken_once(inbox: Inbox) -> None:
    assert await inbox.keep(ONE) is None
    assert await inbox.keep(ONE) is Standing.RUNNING
    assert await inbox.keep(BARE) is None
    assert await inbox.waiting() == 2
    taken = [*await inbox.take(lease=60, limit=1), *await inbox.take(lease=60, limit=5)]
    assert sorted((one.stored for one in taken), key=lambda one: one.key) == [BARE, ONE]
    assert len({claim.token for claim in taken}) == 2
    assert await inbox.waiting() == 0
    assert await inbox.keep(ONE) is Standing.RUNNING
    assert await inbox.take(lease=60, limit=5) == []


async def test_a_pause_before_the_next_attempt(inbox: Inbox) -> None:
    await inbox.keep(ONE)
    (claim,) = await inbox.take(lease=60, limit=5)
    await inbox.release(claim, pause=0.4)
    assert await inbox.take(lease=60, limit=5) == []
    assert await inbox.waiting() == 1
    await asyncio.sleep(0.5)
    (again,) = await inbox.take(lease=60, limit=5)
    assert again.attempt == 2


async def test_failed_ones_are_left_alone_until_sent_again(inbox: Inbox) -> None:
    await inbox.keep(ONE)
    (claim,) = await inbox.take(lease=60, limit=5)
    await inbox.release(claim, failed=True)
    assert await inbox.take(lease=60, limit=5) == []
    assert await inbox.waiting() == 0
    assert await inbox.keep(ONE) is None
    (again,) = await inbox.take(lease=60, limit=5)
    assert again.attempt == 1
    await inbox.release(again, failed=True)
    assert (await claimed(inbox)).attempt == 1


async def test_many_at_once_get_one_claim(inbox: Inbox) -> None:
    found = await asyncio.gather(*(inbox.acquire(ONE, lease=60) for _ in range(50)))
    assert sum(isinstance(one, Claim) for one in found) == 1


async def test_what_is_done_is_known_for_a_time_and_forgotten(
    address: str,
) -> None:
    async with opened(address, keep=0.4) as inbox:
        await inbox.finish(await claimed(inbox))
        assert await inbox.acquire(ONE, lease=60) is Standing.DONE
        await asyncio.sleep(0.5)
        assert (await claimed(inbox)).attempt == 1


@pytest.mark.parametrize("kind", DURABLE)
async def test_a_restart_forgets_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    address = await fresh_address(kind, request)
    done = attrs.evolve(ONE, key="done")
    async with opened(address) as inbox:
        await inbox.finish(await claimed(inbox, done))
        await inbox.keep(ONE)
    async with opened(address) as inbox, opened(address) as other:
        assert await inbox.acquire(done, lease=60) is Standing.DONE
        (claim,) = await inbox.take(lease=60, limit=5)
        assert claim.stored == ONE
        assert await other.take(lease=60, limit=5) == []


SECRETS = [
    ("postgres", "host=127.0.0.1 password=my hunter2 user=x"),
    ("postgres", "postgresql://u:hun ter2@127.0.0.1/x"),
    ("redis", "redis://u:hunter2@127.0.0.1:port/0"),
    ("redis", "hunter2@127.0.0.1"),
]


@pytest.mark.parametrize(("kind", "address"), SECRETS)
def test_an_address_that_cannot_be_read_is_not_shown(kind: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        inbox_at(f"{kind}:{address}")
    shown = "".join(traceback.format_exception_only(caught.value)) + str(caught.value)
    assert caught.value.__suppress_context__
    assert not [part for part in ("hunter2", "ter2", "port/0") if part in shown]


async def test_memory_holds_nothing_of_what_is_forgotten() -> None:
    """Also where no worker ever takes anything."""
    now = 0.0
    inbox = MemoryInbox(keep=100.0, clock=lambda: now)
    for number in range(500):
        now += 1
        await inbox.finish(await claimed(inbox, attrs.evolve(ONE, key=str(number))))
    waiting = await claimed(inbox, BARE, lease=10)
    now += 200
    assert not isinstance(await inbox.acquire(ONE, lease=60), Standing)
    assert sum(len(one) for one in vars(inbox).values() if isinstance(one, (dict, list))) <= 4
    (again,) = await inbox.take(lease=60, limit=10)
    assert (again.stored, again.attempt) == (waiting.stored, 2)


async def test_it_may_be_used_again_after_it_was_closed(address: str) -> None:
    inbox = inbox_at(address)
    await inbox.keep(ONE)
    await inbox.aclose()
    assert await inbox.keep(ONE) is Standing.RUNNING
    await inbox.aclose()
    await inbox.aclose()
