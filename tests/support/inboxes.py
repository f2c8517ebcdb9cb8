"""An inbox of each kind for tests, and a program that receives with one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inbox_program import inbox_at, opened

from linksfield_async.notifications import PostgresInbox

__all__ = ["DURABLE", "KINDS", "fresh_address", "inbox_at", "opened", "program"]

DURABLE = ("sqlite", "redis", "postgres")
KINDS = ("memory", *DURABLE)
PROJECT = Path(__file__).parents[2]


async def fresh_address(kind: str, request: pytest.FixtureRequest) -> str:
    """Where an inbox of a kind is; empty. Skips where its server is not installed."""
    if kind == "memory":
        return "memory:"
    if kind == "sqlite":
        return f"sqlite:{request.getfixturevalue('tmp_path') / 'inbox.db'}"
    if kind == "redis":
        pytest.importorskip("redis")
        from redis.asyncio import Redis

        url = request.getfixturevalue("redis_process").url
        async with Redis.from_url(url) as redis:
            await redis.flushall()
        return f"redis:{url}"
    psycopg = pytest.importorskip("psycopg")
    dsn = request.getfixturevalue("postgres_dsn")
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("DROP TABLE IF EXISTS linksfield_inbox")
    inbox = PostgresInbox(dsn)
    await inbox.create_table()
    await inbox.aclose()
    return f"postgres:{dsn}"


def program(address: str, grants: Path, message: tuple[bytes, Any], **how: Any) -> Any:
    """Start a process that receives one message, some times at once."""
    body, headers = message
    told = {
        "address": address,
        "grants": str(grants),
        "body": body.decode(),
        "headers": headers,
        "times": 1,
        "hang": False,
        "lease": 60.0,
        **how,
    }
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "inbox_program.py"), json.dumps(told)],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, "PYTHONDEVMODE": ""},
    )
