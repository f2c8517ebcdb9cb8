from __future__ import annotations

import asyncio
import json
import threading

import attrs
from bulk_stubs import ACCOUNT

from linksfield_async import Account, Endpoints
from linksfield_async.bulk.journal.identity import identity_of
from linksfield_async.bulk.service import About

ABOUT = About("verify_many", "SingleVerify", {"url": None, "duplicates": "once"})


class Source:
    name = "cards.csv"

    def __init__(self, told="sha256:1"):
        self.told, self.thread = told, 0

    def fingerprint(self):
        self.thread = threading.get_ident()
        return self.told


async def test_what_decides_what_is_sent_and_for_whom():
    source = Source()
    identity = await identity_of(ABOUT, ACCOUNT, source, None)
    assert (identity.kind, identity.operation, identity.partner) == (
        "verify_many", "SingleVerify", "P1",
    )  # fmt: skip
    assert (identity.source, identity.source_name, identity.key_check) == (
        "sha256:1", "cards.csv", None,
    )  # fmt: skip
    assert json.loads(identity.endpoints)["vshop"] == ACCOUNT.endpoints.vshop
    assert json.loads(identity.options)["duplicates"] == "once"
    assert source.thread != threading.get_ident()  # it may read a long file


async def test_each_of_these_makes_another_run():
    accounts = [
        ACCOUNT,
        Account("P2"),
        attrs.evolve(ACCOUNT, endpoints=Endpoints.at("http://127.0.0.1:1")),
        attrs.evolve(ACCOUNT, language_code="7"),
        attrs.evolve(ACCOUNT, mark="7"),
        attrs.evolve(ACCOUNT, terminal="7"),
    ]
    found = [await identity_of(ABOUT, account, [], None) for account in accounts]
    found += [
        await identity_of(attrs.evolve(ABOUT, options={"url": "https://x"}), ACCOUNT, [], None),
        await identity_of(ABOUT, ACCOUNT, [], "a key of many letters"),
        await identity_of(ABOUT, ACCOUNT, [], "another key of many letters"),
    ]
    assert len(set(found)) == len(found)
    assert "letters" not in repr(found)


async def test_sources_that_cannot_tell():
    class Strange:
        name = 7
        fingerprint = "no function"

    for source in ([], iter([]), Strange(), Source(told=None)):
        identity = await identity_of(ABOUT, ACCOUNT, source, None)
        assert identity.source is None
    assert (await asyncio.wait_for(identity_of(ABOUT, ACCOUNT, [], None), 5)).source_name is None
