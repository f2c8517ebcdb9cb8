from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest


def table(text: str) -> dict[int, dict[str, str]]:
    return {int(row["row"]): row for row in csv.DictReader(io.StringIO(text, newline=""))}


@pytest.fixture
def write(tmp_path):
    def write(content: str, name: str = "cards.csv") -> str:
        path = tmp_path / name
        path.write_text(content)
        return str(path)

    return write


def test_a_journal_goes_on_and_completes_the_results(cli, sandbox, valid, write, tmp_path):
    out, journal = tmp_path / "out.csv", tmp_path / "run.db"
    given = write("\n".join([*valid[:30], valid[0], "x"]))
    command = ("verify", given, "--journal", str(journal), "--out", str(out))
    assert cli(*command).exit_code == 3
    first = out.read_bytes()
    assert len(sandbox.requests) == 30
    again = cli(*command)
    assert again.exit_code == 3, again.stderr
    assert (out.read_bytes(), len(sandbox.requests)) == (first, 30)
    assert "31" in again.stdout
    lines = first.decode().splitlines(keepends=True)
    out.write_text("".join(lines[:10]) + lines[10][:7], newline="")  # as after a crash
    assert cli(*command).exit_code == 3
    assert table(out.read_text()) == table(first.decode())
    assert len(sandbox.requests) == 30
    out.unlink()
    assert cli(*command).exit_code == 3
    assert table(out.read_text()).keys() == table(first.decode()).keys()


def test_the_environment_s_key_hides_cards_in_the_journal(cli, valid, write, tmp_path):
    key = {"LINKSFIELD_JOURNAL_KEY": "a key of many letters"}
    journal, given = str(tmp_path / "run.db"), write("\n".join(valid[:5]))
    assert cli("verify", given, "--journal", journal, **key).exit_code == 0
    content = Path(journal).read_bytes()
    assert not any(card.encode() in content for card in valid[:5])
    assert cli("verify", given, "--journal", journal, **key).exit_code == 0
    wrong = cli("verify", given, "--journal", journal)
    assert wrong.exit_code == 2
    assert "the key is needed" in wrong.stderr


def test_another_input_for_the_same_journal_is_one_line(cli, sandbox, valid, write, tmp_path):
    journal, out = str(tmp_path / "run.db"), tmp_path / "out.csv"
    assert cli("verify", write("\n".join(valid[:5])), "--journal", journal).exit_code == 0
    other = write("\n".join(valid[5:9]), "other.csv")
    result = cli("verify", other, "--journal", journal, "--out", str(out))
    assert result.exit_code == 2
    assert "about another input" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (len(sandbox.requests), out.exists()) == (5, False)


def test_in_the_order_of_the_input(cli, valid, write):
    result = cli("verify", write("\n".join(valid[:200])), "--order", "input")
    assert list(table(result.stdout)) == list(range(1, 201))


def test_adaptive_rate_and_concurrency(cli, valid, write):
    given = write("\n".join(valid[:50]))
    result = cli("verify", given, "--concurrency", "auto", "--rate", "auto")
    assert result.exit_code == 0, result.stderr
    assert len(table(result.stdout)) == 50


def test_a_page_about_the_run(cli, valid, write, tmp_path):
    page, given = tmp_path / "page.html", write("\n".join([*valid[:20], "x"]))
    result = cli("verify", given, "--report", str(page), "--json")
    assert result.exit_code == 3, result.stderr
    text = page.read_text()
    assert "Card verification" in text
    assert "21" in text
    assert not any(card in text for card in valid[:20])
    assert cli("verify", given, "--report", str(page), "--json").exit_code == 2
    assert cli("verify", given, "--report", str(page), "--json", "--force").exit_code == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_check_looks_and_sends_nothing(cli, sandbox, valid, write, as_json):
    given = write("\n".join(["iccid", *valid[:5], valid[0], "8.98524E+19"]))
    result = cli("verify", given, "--check", *(["--json"] if as_json else []))
    assert result.exit_code == 3
    assert not len(sandbox.requests)
    if as_json:
        told = json.loads(result.stdout)
        assert (told["rows"], told["unfit"], told["duplicates"]) == (7, 1, 1)
        assert told["first_problems"][0]["row"] == 8
    else:
        assert "rounded" in result.stdout
    assert cli("verify", write(valid[0]), "--check").exit_code == 0


def test_it_stops_by_itself_unless_it_is_to_keep_going(cli, sandbox, write, tmp_path):
    foreign = sandbox.world.iccids("foreign")
    given = write("\n".join(next(foreign) for _ in range(10)) + "\n" + "\n".join(["x"] * 5))
    result = cli("verify", given, "--keep-going", "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdicts"]["refused"]) == (3, 10)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "0"),
        ("--rate", "-3"),
        ("--rate", "fast"),
        ("--concurrency", "0"),
        ("--concurrency", "10001"),
        ("--concurrency", "1.5"),
        ("--order", "random"),
        ("--journal", "/no/such/folder/run.db"),
    ],
)
def test_a_wrong_value_names_its_option(cli, sandbox, valid, write, option, value):
    result = cli("verify", write(valid[0]), option, value)
    assert result.exit_code in (1, 2)
    assert option.strip("-") in result.stderr
    assert "Traceback" not in result.stderr
    assert not len(sandbox.requests)
