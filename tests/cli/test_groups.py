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
