from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import attrs
import pytest
from bulk_stubs import ABOUT

from linksfield_async.bulk.journal import schema
from linksfield_async.bulk.journal.schema import CODES, INTENT, NAMES, SETTLED, Identity
from linksfield_async.errors import JournalRefused

IDENTITY = Identity(**ABOUT)


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def version(connection):
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_codes_stay_as_they_are_in_journals():
    assert dict(CODES) == {
        "valid": 1, "refused": 2, "invalid_input": 3, "failed": 4, "unknown": 5,
    }  # fmt: skip
    assert {NAMES[code]: code for code in NAMES} == CODES
    assert INTENT not in NAMES
    assert (schema.FORMAT, schema.APPLICATION, schema.BLOCK) == (1, 0x4C4B4A31, 1024)


def test_tables_are_made_once(connection):
    schema.prepare(connection, "x")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(item)")]
    assert len(columns) == schema.ITEM_COLUMNS
    assert tuple(r[1] for r in connection.execute("PRAGMA table_info(block)"))[2:] == SETTLED
    schema.prepare(connection, "x")
    assert version(connection) == schema.FORMAT


def test_a_foreign_database_is_refused_and_left_alone(connection):
    connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalRefused, match="no journal of this program"):
        schema.prepare(connection, "x")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


@pytest.mark.parametrize("pragma", ["application_id = 7", "user_version = 3"])
def test_an_empty_database_of_another_program_is_refused(connection, pragma):
    connection.execute(f"PRAGMA {pragma}")
    with pytest.raises(JournalRefused, match="no journal of this program"):
        schema.prepare(connection, "x")


def test_b08_a_newer_journal_is_refused(connection):
    schema.prepare(connection, "x")
    connection.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
    with pytest.raises(JournalRefused, match="use a newer one"):
        schema.prepare(connection, "x")


def test_b08_an_old_one_goes_through_all_steps_or_none(connection):
    schema.prepare(connection, "x")
    good = {1: "CREATE TABLE two (x)", 2: "CREATE TABLE three (x)"}
    with pytest.raises(sqlite3.Error):
        schema.migrate(connection, "x", 1, to=3, steps=good | {2: "CREATE TABLE run (x)"})
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    assert version(connection) == 1
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'two'").fetchall()
    schema.migrate(connection, "x", 1, to=3, steps=good)
    assert version(connection) == 3
    with pytest.raises(JournalRefused, match="old format 1: start anew"):
        schema.migrate(connection, "x", 1, to=3, steps={2: ""})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "send_many"}, "made by verify_many, not by send_many"),
        ({"operation": "X"}, "about the operation SingleVerify, not X"),
        ({"partner": "P2"}, "of partner P1, not P2"),
        ({"endpoints": '{"vshop": "https://x"}'}, "about the endpoints"),
        ({"options": '{"url": "https://x"}'}, "not url=https://x"),
        ({"key_check": b"k"}, "with plain ICCIDs"),
    ],
)
def test_b08_another_run_is_told_by_the_first_thing_that_differs(changes, told):
    with pytest.raises(JournalRefused, match=told):
        schema.check_identity("x", IDENTITY, attrs.evolve(IDENTITY, **changes))


def test_b08_of_many_options_those_that_differ_are_told():
    there = json.dumps({f"option{n}": "x" * 20 for n in range(9)} | {"duplicates": "once"})
    stored = attrs.evolve(IDENTITY, options=there)
    wanted = attrs.evolve(IDENTITY, options=there.replace("once", "each"))
    with pytest.raises(JournalRefused, match="duplicates=once, not duplicates=each; use another"):
        schema.check_identity("x", stored, wanted)


def test_keys_and_sources():
    hidden = attrs.evolve(IDENTITY, key_check=b"one")
    with pytest.raises(JournalRefused, match="the key is needed"):
        schema.check_identity("x", hidden, IDENTITY)
    with pytest.raises(JournalRefused, match="another key"):
        schema.check_identity("x", hidden, attrs.evolve(hidden, key_check=b"two"))
    known = attrs.evolve(IDENTITY, source="sha256:1")
    with pytest.raises(JournalRefused, match="another input"):
        schema.check_identity("x", known, attrs.evolve(known, source="sha256:2"))
    # A source that cannot tell what it is, is known by its items.
    schema.check_identity("x", known, IDENTITY)
    schema.check_identity("x", IDENTITY, known)
    schema.check_identity("x", known, attrs.evolve(known, source_name="moved.csv"))
