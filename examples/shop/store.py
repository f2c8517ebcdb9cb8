"""One row per order: the saved checkout, its revision, and whether it was delivered.

It is a `CheckoutStore`: the primary key makes a double click one order, the revision keeps two
processes from driving one checkout at once.
"""

from __future__ import annotations

import time

from linksfield_async.checkout import summarized

from .database import Database

_TABLE = """
CREATE TABLE IF NOT EXISTS shop_order (
    key TEXT PRIMARY KEY,
    number TEXT NOT NULL,              -- the order's id that a notification names
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    shown_unpaid BIGINT NOT NULL,
    shown_renewal BIGINT NOT NULL,
    saved TEXT NOT NULL,
    begun BIGINT NOT NULL,             -- epoch seconds
    handed TEXT,                       -- state in which the page said that the buyer has paid
    delivered BIGINT                   -- epoch seconds; written once
)
"""
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS shop_order_number ON shop_order (number)"
_OPEN = """
SELECT key FROM shop_order
WHERE delivered IS NULL AND (state IN ('unknown', 'paid', 'confirmed') OR begun > ?)
ORDER BY begun
"""
_FOLLOW_SECONDS = 7 * 86_400
"""So long an order is asked about that nobody has paid; what may be paid is never given up."""
_WITNESSES = 3


class OrderStore:
    """The shop's orders in its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Make the table where it is not there."""
        await self._database.run(_TABLE)
        await self._database.run(_INDEX)

    async def load(self, key: str) -> str | None:
        """See `CheckoutStore`."""
        found = await self._database.run("SELECT saved FROM shop_order WHERE key = ?", key)
        return found.rows[0][0] if found.rows else None

    async def insert(self, key: str, saved: str) -> bool:
        """See `CheckoutStore`."""
        one = summarized(saved)
        sql = "INSERT INTO shop_order VALUES (?, ?, 1, ?, ?, ?, ?, ?, NULL, NULL) ON CONFLICT DO NOTHING"
        shown = (int(one.shown_unpaid), int(one.shown_renewal))
        values = (key, one.request_order_id, one.state, *shown, saved, int(time.time()))
        return (await self._database.run(sql, *values)).changed == 1

    async def update(self, key: str, saved: str, revision: int) -> bool:
        """See `CheckoutStore`."""
        one = summarized(saved)
        sql = (
            "UPDATE shop_order SET revision = ?, state = ?, shown_unpaid = ?, shown_renewal = ?, "
            "saved = ? WHERE key = ? AND revision = ?"
        )
        shown = (int(one.shown_unpaid), int(one.shown_renewal))
        values = (revision, one.state, *shown, saved, key, revision - 1)
        return (await self._database.run(sql, *values)).changed == 1

    async def known(self) -> tuple[str, ...]:
        """See `CheckoutStore`."""
        found: dict[str, None] = {}
        for column in ("shown_unpaid", "shown_renewal"):
            sql = f"SELECT saved FROM shop_order WHERE {column} = 1 ORDER BY begun DESC LIMIT ?"  # noqa: S608
            rows = (await self._database.run(sql, _WITNESSES)).rows
            found |= dict.fromkeys(row[0] for row in rows)
        return tuple(found)

    async def beside(self, key: str) -> tuple[str | None, bool]:
        """Give what stands beside the checkout: see `hand_in`, and whether it is delivered."""
        sql = "SELECT handed, delivered FROM shop_order WHERE key = ?"
        rows = (await self._database.run(sql, key)).rows
        return (rows[0][0], rows[0][1] is not None) if rows else (None, False)

    async def hand_in(self, key: str, state: str) -> None:
        """Note that the page has seen the payment through, and in which state that was.

        It is the page's word alone: it keeps the shop from asking for money twice, no more.
        """
        sql = "UPDATE shop_order SET handed = ? WHERE key = ?"
        await self._database.run(sql, state, key)

    async def key_of(self, number: str) -> str | None:
        """Find an order by the id that a notification names."""
        found = await self._database.run("SELECT key FROM shop_order WHERE number = ?", number)
        return found.rows[0][0] if found.rows else None

    async def deliver(self, key: str) -> bool:
        """Mark an order delivered; True for the first time only."""
        sql = "UPDATE shop_order SET delivered = ? WHERE key = ? AND delivered IS NULL"
        return (await self._database.run(sql, int(time.time()), key)).changed == 1

    async def open_keys(self) -> list[str]:
        """List what is still to be asked about, oldest first."""
        since = int(time.time()) - _FOLLOW_SECONDS
        return [row[0] for row in (await self._database.run(_OPEN, since)).rows]
