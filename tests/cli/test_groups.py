from __future__ import annotations

import json

import pytest


@pytest.fixture
def cards(tmp_path):
    def write(*lines: str, header: str = "iccid"):
        path = tmp_path / "cards.csv"
        path.write_text("\n".join((header, *lines)) + "\n")
        return str(path)

    return write


def test_list_and_sims(cli, sandbox):
    groups = json.loads(cli("groups", "list", "--json").stdout)
    assert [group["group_id"] for group in groups] == ["G1001", "G1002", "G1003"]
    assert "新加坡 trial" in cli("groups", "list").stdout
    members = list(sandbox.world.groups["G1002"].members)
    assert cli("groups", "sims", "G1002").stdout.splitlines() == members
    assert json.loads(cli("groups", "sims", "G1002", "--json").stdout) == members
    assert cli("groups", "sims", "G1003").stdout == ""


def test_add_result_remove(cli, sandbox, valid, cards):
    added = cli("groups", "add", "G1003", cards(*valid[:3]))
    assert added.exit_code == 0, added.stderr
    assert "request id: REQ0000000001" in added.stdout
    assert "linksfield groups result REQ0000000001" in added.stdout
    assert sandbox.requests[-1].params["sim_ids"] == valid[:3]
    result = cli("groups", "result", "REQ0000000001")
    assert (result.exit_code, result.stdout.count("success")) == (0, 4)
    removed = cli("groups", "remove", "G1003", "-", "--json", given="\n".join(valid[:2]))
    assert json.loads(removed.stdout)["sent"] == 2
    assert sandbox.requests[-1].method == "DELETE"
    assert list(sandbox.world.groups["G1003"].members) == [valid[2]]


def test_a_result_that_is_not_all_good_ends_with_3(cli, sandbox, valid, cards):
    foreign = next(sandbox.world.iccids("foreign"))
    cli("groups", "add", "G1003", cards(valid[0], foreign))
    result = cli("groups", "result", "REQ0000000001", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["status"] == "partial"
    assert [one["status"] for one in found["results"]] == ["success", "failed"]


def test_bad_rows_are_told_and_nothing_is_sent(cli, sandbox, valid, cards):
    path = cards(valid[0], "8.98524E+19", "", valid[1])
    result = cli("groups", "add", "G1003", path)
    assert result.exit_code == 2
    assert "row 3: a spreadsheet turned" in result.stderr
    assert "row 4: no ICCID" in result.stderr
    assert "nothing was sent" in result.stderr
    assert not len(sandbox.requests)


def test_bad_rows_can_be_skipped_and_doubles_go_once(cli, sandbox, valid, cards):
    path = cards(valid[0], "x", valid[1], valid[0])
    result = cli("groups", "add", "G1003", path, "--skip-bad", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["sent"], told["doubles"]) == (2, 1)
    assert [bad["row"] for bad in told["bad_rows"]] == [3]
    assert sandbox.requests[-1].params["sim_ids"] == valid[:2]


def test_many_bad_rows_are_not_all_listed(cli, cards):
    result = cli("groups", "add", "G1003", cards(*["x"] * 50), "--skip-bad")
    assert result.exit_code == 2
    assert "… and 30 more" in result.stderr
    assert "no ICCID is left" in result.stderr


def test_an_unknown_request(cli):
    result = cli("groups", "result", "nothing")
    assert (result.exit_code, result.stdout) == (1, "")


def test_unknown_outcome_of_a_change_names_the_question(bare, lost_answers, cards):
    url, taken = lost_answers
    where = ("--partner-code", "P1", "--endpoints", url)
    result = bare(*where, "groups", "remove", "G1", cards("8985200000000000000"))
    assert result.exit_code == 1
    assert "unknown whether it was carried out" in result.stderr
    assert "`linksfield groups sims G1`" in result.stderr
    assert len(taken) == 1


def test_add_and_wait_tells_each_card_that_is_not_done(cli, sandbox, valid, cards, tmp_path):
    foreign = next(sandbox.world.iccids("foreign"))
    report = tmp_path / "report.csv"
    words = ("--wait", "--settle-for", "0.1", "--report", str(report), "--only-failed")
    result = cli("groups", "add", "G1003", cards(valid[0], foreign), *words)
    assert result.exit_code == 3, result.stderr
    assert "another partner" in result.stdout
    assert report.read_text().splitlines()[1].startswith(foreign)
    assert list(sandbox.world.groups["G1003"].members) == [valid[0]]


def test_wait_takes_the_token_of_add(cli, sandbox, valid, cards):
    path = cards(*valid[:30])
    added = json.loads(cli("groups", "add", "G1003", path, "--chunk-size", "20", "--json").stdout)
    assert (added["sent"], len(added["request_ids"])) == (30, 2)
    waited = cli("groups", "wait", added["token"], "--json")
    assert waited.exit_code == 0, waited.stderr
    assert json.loads(waited.stdout)["done"] == 30
    waited = cli("groups", "wait", "-", "--cards", path, given=added["token"])
    assert waited.exit_code == 0, waited.stderr
    other = cli("groups", "wait", added["token"], "--cards", cards(*valid[:29]))
    assert (other.exit_code, other.stdout) == (2, "")
    assert "other cards" in other.stderr


def test_wait_refuses_what_is_no_token(cli):
    result = cli("groups", "wait", "REQ1")
    assert result.exit_code == 2
    assert "the token is not JSON" in result.stderr


def test_a_change_that_does_not_end_fails_and_names_its_request(cli, sandbox, valid, cards):
    sandbox.world.group_behaviour.next(never_ends=True)
    result = cli("groups", "add", "G1003", cards(valid[0]), "--wait", "--within", "0.1")
    assert result.exit_code == 1
    assert "linksfield groups result REQ0000000001" in result.stderr


def test_sync_dry_and_then_for_good(cli, sandbox, valid, cards, tmp_path):
    before = list(sandbox.world.groups["G1002"].members)
    path = cards(*valid[:10], before[0])
    dry = cli("groups", "sync", "G1002", path, "--dry-run", "--json")
    assert dry.exit_code == 0, dry.stderr
    told = json.loads(dry.stdout)
    assert (told["adding"], told["removing"]) == (10, 4)
    assert told["to_add"] == valid[:10]
    assert list(sandbox.world.groups["G1002"].members) == before
    words = ("--journal", str(tmp_path / "run.db"), "--report", str(tmp_path / "report.jsonl"))
    result = cli("groups", "sync", "G1002", path, *words)
    assert result.exit_code == 0, result.stderr
    assert set(sandbox.world.groups["G1002"].members) == {*valid[:10], before[0]}
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 14
    again = json.loads(cli("groups", "sync", "G1002", path, "--json").stdout)
    assert (again["adding"], again["removing"], again["missing"]) == (0, 0, 0)
    assert sandbox.world.needless_changes() == []


def test_an_empty_file_removes_nothing_unasked(cli, sandbox, tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("iccid\n\n")
    result = cli("groups", "sync", "G1002", str(path))
    assert result.exit_code == 2
    assert len(sandbox.world.groups["G1002"].members) == 5


def test_the_report_s_name_is_checked_before_anything_is_sent(cli, sandbox, valid, cards):
    for command in ("add", "remove", "sync"):
        result = cli("groups", command, "G1003", cards(valid[0]), "--report", "report.xlsx")
        assert result.exit_code == 2
    assert not len(sandbox.requests)


def test_a_finished_journal_is_told_as_such(cli, valid, cards, tmp_path):
    words = ("groups", "add", "G1003", cards(*valid[:3]), "--journal", str(tmp_path / "run.db"))
    assert cli(*words, "--wait").exit_code == 0
    again = cli(*words)
    assert again.exit_code == 0, again.stderr
    assert "accepted: 0 cards" in again.stdout


def test_the_key_of_the_environment_hides_the_cards(cli, valid, cards, tmp_path, monkeypatch):
    monkeypatch.setenv("LINKSFIELD_JOURNAL_KEY", "a key of sixteen or more")
    words = ("groups", "sync", "G1002", cards(*valid[:3]), "--journal", str(tmp_path / "run.db"))
    assert cli(*words).exit_code == 0
    assert not [card for card in valid[:3] if card.encode() in (tmp_path / "run.db").read_bytes()]
    told = json.loads(cli(*words, "--json").stdout)
    assert (told["missing"], told["surplus"], told["hidden"]) == (0, 0, 5)
    monkeypatch.delenv("LINKSFIELD_JOURNAL_KEY")
    result = cli(*words)
    assert result.exit_code == 2
    assert "the key is needed" in result.stderr
