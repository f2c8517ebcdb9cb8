"""An inbox in Redis, for several machines (extra `redis`); as durable as the server is set up.

Every step is one script on the server, by the server's clock. What Redis loses (a flush, a crash
without `appendfsync always`) is lost: then only the grant's own unique key stops a second run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, InboxUnavailable
from ..masking import one_line
from .inbox import KEEP_SECONDS, Claim, Standing, Stored, new_token

if TYPE_CHECKING:
    from redis.asyncio import Redis

_CONNECTIONS = 16

# All keys of an inbox share one {tag}, so that a cluster keeps them on one node.
_HEAD = """
local entry, due, waiting = KEYS[1], KEYS[2], KEYS[3]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local state = redis.call('HGET', entry, 'state')
local function put(to, at)
    redis.call('HSET', entry, 'state', to)
    redis.call('PERSIST', entry)
    redis.call('ZADD', due, at, ARGV[1])
    if to == '0' then redis.call('SADD', waiting, ARGV[1])
    else redis.call('SREM', waiting, ARGV[1]) end
end
local function over(to, keep)
    redis.call('HSET', entry, 'state', to, 'token', '')
    redis.call('ZREM', due, ARGV[1])
    redis.call('SREM', waiting, ARGV[1])
    redis.call('PEXPIRE', entry, keep)
end
"""
_KEEP = """
if state and state ~= '3' then return state end
redis.call('HSET', entry, 'attempts', 0, 'token', '', unpack(ARGV, 2))
put('0', now)
return ''
"""
_ACQUIRE = """
if state == '2' then return {state} end
if state == '1' and tonumber(redis.call('ZSCORE', due, ARGV[1]) or 0) > now then return {state} end
if state == '3' then redis.call('HSET', entry, 'attempts', 0) end
redis.call('HSET', entry, 'token', ARGV[2], unpack(ARGV, 4))
put('1', now + ARGV[3])
return {'mine', redis.call('HINCRBY', entry, 'attempts', 1)}
"""
_END = """
if state ~= '1' or redis.call('HGET', entry, 'token') ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then
    redis.call('HSET', entry, 'token', '')
    put('0', now + ARGV[4])
else
    over(ARGV[3], ARGV[4])
    if ARGV[3] == '2' then redis.call('HDEL', entry, 'body') end
end
return 1
"""
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local taken = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'LIMIT', 0, ARGV[2])) do
    local entry = ARGV[3] .. key
    redis.call('SREM', KEYS[2], key)
    if redis.call('EXISTS', entry) == 0 then
        redis.call('ZREM', KEYS[1], key)
    else
        redis.call('HSET', entry, 'state', '1', 'token', ARGV[4] .. #taken)
        redis.call('ZADD', KEYS[1], now + ARGV[1], key)
        redis.call('HINCRBY', entry, 'attempts', 1)
        table.insert(taken, {key, redis.call('HGETALL', entry)})
    end
end
return taken
"""


class RedisInbox:
    """Messages in Redis, under keys that begin with `prefix`.

    Takes an address such as `redis://127.0.0.1:6379/0`, or a `redis.asyncio.Redis` of yours that
    does not decode answers; that one is not closed. Used from one event loop.
    """

    def __init__(
        self,
        redis: str | Redis,
        *,
        prefix: str = "linksfield:inbox",
        keep: float = KEEP_SECONDS,
        timeout: float = 5.0,
    ) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - an extra
            from redis.asyncio import Redis as Connections  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "RedisInbox needs the extra: pip install 'linksfield_async[redis]'"
            ) from error
        self._errors = (RedisError, OSError, TimeoutError)
        self._own = isinstance(redis, str)
        self._redis: Any = redis
        if isinstance(redis, str):
            # Blocking: a crowd of messages waits for a connection instead of being refused.
            try:
                pool = BlockingConnectionPool.from_url(
                    redis,
                    max_connections=_CONNECTIONS,
                    timeout=timeout,
                    socket_timeout=timeout,
                    socket_connect_timeout=timeout,
                )
            except ValueError:
                # Without the cause: its text may hold a part of the password.
                raise ConfigurationError(
                    "the address of RedisInbox cannot be read: it is like redis://host:6379/0"
                ) from None
            self._redis = Connections.from_pool(pool)
        self._entries = f"{{{prefix}}}:"
        self._due, self._waiting = f"{self._entries}due", f"{self._entries}waiting"
        self._keep = round(keep * 1000)

    @property
    def known_for(self) -> float:
        """See `Inbox`."""
        return self._keep / 1000

    async def _run(self, script: str, key: str, *values: str | bytes | int) -> Any:
        keys = (f"{self._entries}m:{key}", self._due, self._waiting)
        try:
            return await self._redis.eval(_HEAD + script, 3, *keys, key, *values)
        except self._errors as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> InboxUnavailable:
        return InboxUnavailable(f"Redis cannot be asked: {one_line(str(error))}")

    async def keep(self, stored: Stored) -> Standing | None:
        """See `Inbox`."""
        state = _text(await self._run(_KEEP, stored.key, *_written(stored)))
        return _standing(state) if state else None

    async def acquire(self, stored: Stored, *, lease: float) -> Claim | Standing:
        """See `Inbox`."""
        token = new_token()
        state, *attempt = await self._run(
            _ACQUIRE, stored.key, token, round(lease * 1000), *_written(stored)
        )
        if not attempt:
            return _standing(_text(state))
        return Claim(stored=stored, token=token, attempt=int(attempt[0]))

    async def finish(self, claim: Claim) -> bool:
        """See `Inbox`."""
        return bool(await self._run(_END, claim.stored.key, claim.token, "2", self._keep))

    async def release(self, claim: Claim, *, pause: float = 0.0, failed: bool = False) -> None:
        """See `Inbox`."""
        state, milliseconds = ("3", self._keep) if failed else ("0", round(pause * 1000))
        await self._run(_END, claim.stored.key, claim.token, state, milliseconds)

    async def take(self, *, lease: float, limit: int) -> list[Claim]:
        """See `Inbox`."""
        token = new_token()
        values = (round(lease * 1000), limit, f"{self._entries}m:", f"{token}.")
        try:
            taken = await self._redis.eval(_TAKE, 2, self._due, self._waiting, *values)
        except self._errors as error:
            raise self._unavailable(error) from error
        return [_claim(_text(key), flat) for key, flat in taken]

    async def waiting(self) -> int:
        """See `Inbox`."""
        try:
            return int(await self._redis.scard(self._waiting))
        except self._errors as error:
            raise self._unavailable(error) from error

    async def aclose(self) -> None:
        """Close the connections, where they are the inbox's own."""
        if self._own:
            await self._redis.aclose()


def _standing(state: str) -> Standing:
    return Standing.DONE if state == "2" else Standing.RUNNING


def _written(stored: Stored) -> list[str | bytes | int]:
    facts: Mapping[str, str | bytes | int | None] = {
        "body": stored.body,
        "authenticity": stored.authenticity,
        "key_id": stored.key_id,
        "version": stored.version,
        "timestamp_ms": stored.timestamp_ms,
    }
    return [part for name, value in facts.items() if value is not None for part in (name, value)]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _claim(key: str, flat: Any) -> Claim:
    # As pairs in a row with the older protocol, as a mapping with the newer one.
    pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
    found = {_text(name): value for name, value in pairs}
    facts = {
        name: _text(found[name])
        for name in ("authenticity", "key_id", "version", "timestamp_ms", "token", "attempts")
        if name in found
    }
    stored = Stored(
        key=key,
        body=found["body"],
        authenticity=facts["authenticity"],
        key_id=facts.get("key_id"),
        version=facts.get("version"),
        timestamp_ms=int(facts["timestamp_ms"]) if "timestamp_ms" in facts else None,
    )
    return Claim(stored=stored, token=facts["token"], attempt=int(facts["attempts"]))
