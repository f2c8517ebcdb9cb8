"""An inbox in PostgreSQL (extra `postgres`), whose claim can be part of the caller's transaction.

    async with pool.connection() as connection:          # the transaction that grants
        async with inbox.claim(connection, notice) as fresh:
            if fresh:
                await grant(connection, notice)

The claim and the grant are then committed together or not at all: no crash loses one of the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigurationError, InboxUnavailable
from ..masking import one_line
from .inbox import KEEP_SECONDS, Claim, Standing, State, Stored, new_token
from .notice import RechargeNotice

if TYPE_CHECKING:
    from psycopg import AsyncConnection

TABLE = """
CREATE TABLE IF NOT EXISTS linksfield_inbox (
    key text PRIMARY KEY,
    state smallint NOT NULL,            -- 0 waiting, 1 running, 2 done, 3 failed
    due timestamptz NOT NULL,           -- may be taken from then on; over: forgotten then
    token text NOT NULL,
    attempts integer NOT NULL,
    body bytea NOT NULL,                -- empty once it is done
    authenticity text NOT NULL,
    key_id text, version text, timestamp_ms bigint
);
CREATE INDEX IF NOT EXISTS linksfield_inbox_due ON linksfield_inbox (state, due);
"""
"""The table, for your own migrations; `create_table` makes it."""

# The server's clock, at the moment of the statement: now() is that of the transaction's begin,
# and this statement may have waited for another transaction.
_CLAIM = """
INSERT INTO linksfield_inbox AS i
    (key, state, due, token, attempts, body, authenticity, key_id, version, timestamp_ms)
VALUES (%(key)s, %(state)s, clock_timestamp() + %(seconds)s * interval '1 second', %(token)s,
    %(attempts)s, %(body)s, %(authenticity)s, %(key_id)s, %(version)s, %(timestamp_ms)s)
ON CONFLICT (key) DO UPDATE SET
    state = excluded.state, due = excluded.due, token = excluded.token,
    attempts = CASE WHEN i.state < 2 THEN i.attempts ELSE 0 END + excluded.attempts,
    body = excluded.body, authenticity = excluded.authenticity, key_id = excluded.key_id,
    version = excluded.version, timestamp_ms = excluded.timestamp_ms
WHERE i.state = 3 OR (i.state = 0 AND excluded.state <> 0)
    OR (i.state IN (1, 2) AND i.due <= clock_timestamp() AND (i.state = 2 OR excluded.state <> 0))
RETURNING attempts
"""
_END = """
UPDATE linksfield_inbox
SET state = %(state)s, due = clock_timestamp() + %(seconds)s * interval '1 second', token = '',
    body = CASE WHEN %(state)s = 2 THEN ''::bytea ELSE body END
WHERE key = %(key)s AND state = 1 AND token = %(token)s
"""
_TAKE = """
UPDATE linksfield_inbox SET state = 1, token = %(token)s, attempts = attempts + 1,
    due = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE key IN (
    SELECT key FROM linksfield_inbox WHERE state IN (0, 1) AND due <= clock_timestamp()
    ORDER BY due LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING attempts, key, body, authenticity, key_id, version, timestamp_ms
"""
_FORGET = "DELETE FROM linksfield_inbox WHERE state IN (2, 3) AND due <= clock_timestamp()"


class Pool(Protocol):
    """What is used of `psycopg_pool.AsyncConnectionPool`."""

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Lend a connection; commit at the end of the block."""
        ...


class PostgresInbox:
    """Messages in a table of PostgreSQL, written with psycopg 3.

    Takes a connection string, for one connection of its own, or a pool of yours, which is not
    closed. `claim` needs neither of them. Used from one event loop.
    """

    def __init__(self, source: str | Pool, *, keep: float = KEEP_SECONDS) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "PostgresInbox needs the extra: pip install 'linksfield_async[postgres]'"
            ) from error
        if isinstance(source, str):
            try:
                conninfo_to_dict(source)
            except psycopg.ProgrammingError:
                # Without the cause: its text may hold a part of the password.
                raise ConfigurationError(
                    "the connection string of PostgresInbox cannot be read: values with blanks"
                    " stand in quotes, and in an address they are written as %20"
                ) from None
        self._psycopg = psycopg
        self._source = source
        self._keep = keep
        self._own: AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    @property
    def known_for(self) -> float:
        """See `Inbox`."""
        return self._keep

    @asynccontextmanager
    async def claim(
        self, connection: AsyncConnection[Any], notice: RechargeNotice
    ) -> AsyncIterator[bool]:
        """Claim a message inside your transaction; True where it is yours to grant.

        It counts as done when your transaction commits; when that is rolled back, nothing was
        claimed. Another transaction that claims the same message meanwhile is waited for. Not to
        be mixed with a receiver that itself claims from the same table.
        """
        idle = self._psycopg.pq.TransactionStatus.IDLE
        if connection.autocommit and connection.info.transaction_status == idle:
            raise ConfigurationError("the claim needs a transaction: this connection commits alone")
        stored = Stored.of(notice)
        values = _values(stored, State.DONE, self._keep, "", 1) | {"body": b""}
        row = await (await connection.execute(_CLAIM, values)).fetchone()
        yield row is not None

    async def create_table(self) -> None:
        """Make the table where it is not there."""
        async with self._connection() as connection:
            await connection.execute(TABLE)

    async def forget(self) -> None:
        """Delete what is over for longer than messages are known; workers do it themselves."""
        async with self._connection() as connection:
            await connection.execute(_FORGET)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        try:
            if not isinstance(self._source, str):
                async with self._source.connection() as lent:
                    yield lent
                return
            async with self._turn:
                if self._own is None or self._own.closed:
                    self._own = await self._psycopg.AsyncConnection.connect(
                        self._source, autocommit=True, connect_timeout=5
                    )
                yield self._own
        except (self._psycopg.Error, OSError) as error:
            told = one_line(str(error))
            raise InboxUnavailable(f"PostgreSQL cannot be asked: {told}") from error

    async def keep(self, stored: Stored) -> Standing | None:
        """See `Inbox`."""
        return await self._written(_values(stored, State.WAITING, 0.0, "", 0))

    async def acquire(self, stored: Stored, *, lease: float) -> Claim | Standing:
        """See `Inbox`."""
        token = new_token()
        values = _values(stored, State.RUNNING, lease, token, 1)
        async with self._connection() as connection:
            row = await (await connection.execute(_CLAIM, values)).fetchone()
            if row is None:
                return await self._standing(connection, stored.key)
        return Claim(stored=stored, token=token, attempt=row[0])

    async def _written(self, values: dict[str, Any]) -> Standing | None:
        async with self._connection() as connection:
            row = await (await connection.execute(_CLAIM, values)).fetchone()
            return await self._standing(connection, values["key"]) if row is None else None

    async def _standing(self, connection: AsyncConnection[Any], key: str) -> Standing:
        found = await connection.execute("SELECT state FROM linksfield_inbox WHERE key = %s", [key])
        row = await found.fetchone()
        done = row is not None and row[0] == State.DONE
        return Standing.DONE if done else Standing.RUNNING

    async def finish(self, claim: Claim) -> bool:
        """See `Inbox`."""
        return await self._end(claim, State.DONE, self._keep)

    async def release(self, claim: Claim, *, pause: float = 0.0, failed: bool = False) -> None:
        """See `Inbox`."""
        state = State.FAILED if failed else State.WAITING
        await self._end(claim, state, self._keep if failed else pause)

    async def _end(self, claim: Claim, state: State, seconds: float) -> bool:
        values = {
            "key": claim.stored.key,
            "token": claim.token,
            "state": int(state),
            "seconds": seconds,
        }
        async with self._connection() as connection:
            return (await connection.execute(_END, values)).rowcount == 1

    async def take(self, *, lease: float, limit: int) -> list[Claim]:
        """See `Inbox`."""
        token = new_token()
        values = {"token": token, "seconds": lease, "limit": limit}
        await self.forget()
        async with self._connection() as connection:
            rows = await (await connection.execute(_TAKE, values)).fetchall()
        return [
            Claim(
                stored=Stored(
                    key=key,
                    body=bytes(body),
                    authenticity=authenticity,
                    key_id=key_id,
                    version=version,
                    timestamp_ms=timestamp_ms,
                ),
                token=token,
                attempt=attempts,
            )
            for attempts, key, body, authenticity, key_id, version, timestamp_ms in rows
        ]

    async def waiting(self) -> int:
        """See `Inbox`."""
        async with self._connection() as connection:
            found = await connection.execute("SELECT count(*) FROM linksfield_inbox WHERE state=0")
            row = await found.fetchone()
        return int(row[0]) if row else 0

    async def aclose(self) -> None:
        """Close the connection of its own."""
        own, self._own = self._own, None
        if own is not None:
            await own.close()


def _values(
    stored: Stored, state: State, seconds: float, token: str, attempts: int
) -> dict[str, Any]:
    return {
        "key": stored.key,
        "state": int(state),
        "seconds": seconds,
        "token": token,
        "attempts": attempts,
        "body": stored.body,
        "authenticity": stored.authenticity,
        "key_id": stored.key_id,
        "version": stored.version,
        "timestamp_ms": stored.timestamp_ms,
    }
