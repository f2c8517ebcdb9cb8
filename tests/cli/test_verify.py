from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

COLUMNS = ["row", "given", "iccid", "verdict", "reason", "attempts", "duplicate_of"]


def table(text: str) -> dict[int, dict[str, str]]:
    return {int(row["row"]): row for row in csv.DictReader(io.StringIO(text, newline=""))}


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "cards.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_all_good_ends_with_0_and_every_row_is_told(cli, sandbox, valid, write):
    result = cli("verify", write("iccid\n" + "\n".join(valid[:200])))
    assert result.exit_code == 0, result.stderr
    rows = table(result.stdout)
    assert {row["iccid"] for row in rows.values()} == set(valid[:200])
    assert rows[2] == dict(
        zip(COLUMNS, ["2", valid[0], valid[0], "valid", "", "1", ""], strict=True)
    )
    assert len(sandbox.requests) == 200
    assert result.stderr.startswith("200 rows in ")


def test_each_row_is_reported_by_its_number_and_bad_ones_are_not_sent(cli, sandbox, valid, write):
    foreign = next(sandbox.world.iccids("foreign"))
    lines = ["order,ICCID", f"a,{valid[0]}", "b,8.98524E+19", "c,", "", f"e,' {foreign} ", "f,=1+1"]
    result = cli("verify", write("\r\n".join(lines) + "\r\n"))
    assert result.exit_code == 3
    rows = table(result.stdout)
    assert {number: row["verdict"] for number, row in rows.items()} == {
        2: "valid",
        3: "invalid_input",
        4: "invalid_input",
        5: "invalid_input",
        6: "refused",
        7: "invalid_input",
    }
    assert rows[3]["given"] == "8.98524E+19"
    assert "rounded" in rows[3]["reason"]
    assert (rows[6]["given"], rows[6]["iccid"]) == (f"' {foreign} ", foreign)
    assert rows[7]["given"] == "'=1+1"
    sent = {request.params["deviceCode"] for request in sandbox.requests}
    assert sent == {valid[0], foreign}
    assert "1 valid, 1 refused, 4 invalid_input; column ICCID" in result.stderr


def test_reads_stdin(cli, valid):
    result = cli("verify", "-", given="\n".join(valid[:300]))
    assert result.exit_code == 0
    assert {row["iccid"] for row in table(result.stdout).values()} == set(valid[:300])


def test_out_as_csv(cli, valid, write, tmp_path):
    out = tmp_path / "out.csv"
    result = cli("verify", write("\n".join(valid[:3])), "--out", str(out))
    assert result.exit_code == 0
    content = out.read_bytes()
    assert content.startswith(b"row,given,iccid,verdict,reason,attempts,duplicate_of\r\n")
    assert content.count(b"\r\n") == 4
    assert "valid" in result.stdout
    assert str(out) in result.stdout


def test_out_as_json_lines(cli, valid, write, tmp_path):
    out = tmp_path / "out.jsonl"
    result = cli("verify", write(f"{valid[0]}\nx\n"), "--out", str(out), "--json")
    assert result.exit_code == 3
    records = {record["row"]: record for record in map(json.loads, out.read_text().splitlines())}
    assert records[1] == {
        "row": 1,
        "given": valid[0],
        "iccid": valid[0],
        "verdict": "valid",
        "reason": "",
        "attempts": 1,
        "duplicate_of": None,
    }
    assert records[2]["iccid"] == ""
    summary = json.loads(result.stdout)
    assert summary["verdicts"]["valid"] == 1
    assert (summary["rows"], summary["interrupted"], summary["out"]) == (2, False, str(out))
    assert [problem["row"] for problem in summary["first_problems"]] == [2]


def test_json_without_out_sends_and_writes_the_summary_alone(cli, valid, write):
    result = cli("verify", write(valid[0]), "--json")
    assert (result.exit_code, json.loads(result.stdout)["rows"]) == (0, 1)


def test_an_existing_file_is_not_overwritten_but_with_force(cli, sandbox, valid, write, tmp_path):
    out, given = tmp_path / "out.csv", write(valid[0])
    out.write_text("precious")
    result = cli("verify", given, "--out", str(out))
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert (out.read_text(), len(sandbox.requests)) == ("precious", 0)
    assert cli("verify", given, "--out", str(out), "--force").exit_code == 0
    assert "precious" not in out.read_text()


@pytest.mark.parametrize("other", ["same", "link", "hard link"])
def test_the_input_is_never_the_output(cli, sandbox, valid, write, tmp_path, other):
    given = write(valid[0])
    out = tmp_path / "other.csv"
    if other == "link":
        out.symlink_to(given)
    elif other == "hard link":
        os.link(given, out)
    else:
        out = given
    result = cli("verify", given, "--out", str(out), "--force")
    assert result.exit_code == 2
    assert "into the file that is read" in result.stderr
    assert Path(given).read_text() == valid[0]
    assert not len(sandbox.requests)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n\r\n ,, \n", "is empty"),
        (b"iccid\n", "no rows below"),
        (b"iccid\n\n\n", "no rows below"),
        (b"a,b\n1,2\n", "the columns are: a, b"),
        (b"iccid,ICCID\n1,2\n", "twice"),
        (b"PK\x03\x04....", "Excel workbook"),
        (b"\xff\xfei\x00", "UTF-16"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"name,iccid\nM\xfcller,1\n", "byte 0xFC in line 2, byte 12 of the file"),
        (b"8" * 1_100_000, "longer than"),
        (b"123\r456\r", "CR alone"),
    ],
)
def test_unreadable_input_is_one_line(cli, sandbox, write, content, problem):
    result = cli("verify", write(content))
    assert result.exit_code == 2, result.stdout
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
    assert not len(sandbox.requests)


def test_an_error_far_down_tells_what_was_done(cli, valid, write, tmp_path):
    out = tmp_path / "out.csv"
    lines = "\n".join(valid[:500]).encode()
    result = cli("verify", write(lines + b"\n\xff\n"), "--out", str(out))
    assert result.exit_code == 2
    assert "line 501" in result.stderr
    assert "500 rows done before" in result.stderr
    assert len(out.read_text().splitlines()) == 501


def test_an_open_quote_does_not_swallow_rows(cli, valid, write):
    lines = ["iccid,note", f"{valid[0]},fine", f'{valid[1]},"open', *(f"{v},x" for v in valid[2:9])]
    result = cli("verify", write("\n".join(lines)))
    assert result.exit_code == 2
    assert "not valid CSV" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("/no/such/file",), "No such file"),
        (("/",), "Is a directory"),
        (("-", "--out", "out.txt"), "must end in .csv or .jsonl"),
        (("-", "--out", "-", "--json"), "--json writes the summary to stdout"),
        (("-", "--out", "/no/such/dir/out.csv"), "No such file"),
        (("-", "--concurrency", "0"), "concurrency"),
        (("-", "--concurrency", "many"), "concurrency"),
        (("-", "--column", "x"), "no column 'x'; the columns are: iccid"),
        ((), "FILE"),
    ],
)
def test_wrong_use(cli, sandbox, arguments, problem):
    result = cli("verify", *arguments, given="iccid\n1\n")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not len(sandbox.requests)


def test_a_column_by_name(cli, valid, write):
    given = write(f"iccid;Old Card\n1;{valid[0]}\n")
    result = cli("verify", given, "--column", "old card")
    assert result.exit_code == 0
    assert table(result.stdout)[2]["iccid"] == valid[0]


def test_concurrency_is_kept(cli, env, valid, write, monkeypatch):
    seen = []
    from linksfield_async.client import Client

    original = Client.verify_many

    def spy(self, iccids, **settings):
        seen.append((settings["concurrency"], self.options.connections, self.options.deadline))
        return original(self, iccids, **settings)

    monkeypatch.setattr(Client, "verify_many", spy)
    given = write(valid[0])
    assert cli("verify", given, "--concurrency", "7").exit_code == 0
    assert cli("--deadline", "9", "verify", given, "--concurrency", "300").exit_code == 0
    assert seen == [(7, 100, 30.0), (300, 600, 9.0)]


def test_no_service_is_told_for_each_row(bare, write, valid):
    where = ("--partner-code", "P1", "--endpoints", "http://127.0.0.1:9")
    result = bare(*where, "verify", write("\n".join(valid[:3])), "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["verdicts"]["failed"] == 3


def test_a_full_disk_is_one_line(cli, valid, write, monkeypatch):
    from linksfield_async.bulk.files import sinks

    def full(self, record):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sinks.CsvSink, "write", full)
    result = cli("verify", write(valid[0]))
    assert result.exit_code == 1
    assert "cannot write the results: No space left on device; 0 rows done before" in result.stderr


def test_progress_lines(cli, valid, write, monkeypatch):
    from linksfield_async.cli import tally

    monkeypatch.setattr(tally.Lines.__init__, "__defaults__", (0.0,))
    result = cli("verify", write("\n".join(valid[:20])))
    assert "20 rows: 20 valid, 0 not, " in result.stderr
    assert "20 rows: 20 valid" in result.stderr
    assert len(table(result.stdout)) == 20


def test_hostile_cells_stay_in_their_cells(cli, write, valid):
    result = cli("verify", write('iccid,x\n"=cmd|\'/c calc\'!A0\nnext",1\n"\x1b[31m",2\n'))
    rows = list(csv.reader(io.StringIO(result.stdout, newline="")))
    assert len(rows) == 3
    assert {row[1] for row in rows[1:]} == {"'=cmd|'/c calc'!A0\nnext", "\x1b[31m"}
