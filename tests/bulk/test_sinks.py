from __future__ import annotations

import csv
import io
import json

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.sinks import (
    COLUMNS,
    CsvSink,
    JsonLinesSink,
    Record,
    formula_safe,
    open_sink,
)

RECORD = Record(7, " '89", "8985200000000000000", "refused", 'he said "no", twice', 2)


def test_csv_is_rfc_4180():
    stream = io.BytesIO()
    CsvSink(stream).write(RECORD)
    assert stream.getvalue() == (
        b"row,given,iccid,verdict,reason,attempts\r\n"
        b'7, \'89,8985200000000000000,refused,"he said ""no"", twice",2\r\n'
    )


def test_csv_keeps_lines_and_delimiters_in_their_cells():
    stream = io.BytesIO()
    given = 'a\r\nb,c;"d"\n欧\ud800'
    CsvSink(stream).write(Record(1, given, "", "invalid_input", "x", 0))
    text = stream.getvalue().decode()
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert row == ["1", given.replace("\ud800", "\\ud800"), "", "invalid_input", "x", "0"]


@pytest.mark.parametrize("start", list("=+-@\t\r\n"))
def test_no_cell_is_a_formula(start):
    assert formula_safe(f"{start}1") == f"'{start}1"
    stream = io.BytesIO()
    CsvSink(stream).write(Record(1, f"{start}1", "", "failed", f"{start}x", 0))
    (_, row) = csv.reader(io.StringIO(stream.getvalue().decode(), newline=""))
    assert (row[1], row[4]) == (f"'{start}1", f"'{start}x")


def test_other_texts_stay_as_they_are():
    for text in ("", "8985", " =1", "a-b", "'x"):
        assert formula_safe(text) == text


def test_json_lines():
    stream = io.BytesIO()
    sink = JsonLinesSink(stream)
    sink.write(RECORD)
    sink.write(Record(8, '=1\n"', "", "invalid_input", "欧 \ud800", 0))
    first, second = (json.loads(line) for line in stream.getvalue().decode().splitlines())
    assert list(first) == list(COLUMNS)
    assert (first["row"], first["attempts"], first["reason"]) == (7, 2, 'he said "no", twice')
    assert (second["given"], second["reason"]) == ('=1\n"', "欧 \ud800")


@pytest.mark.parametrize("name", ["out.csv", "out.CSV", "out.jsonl"])
def test_what_was_written_is_there_at_once(tmp_path, name):
    path = tmp_path / name
    with open_sink(path) as sink:
        sink.write(RECORD)
        assert path.read_bytes().endswith(b"\n")
        assert b"8985200000000000000" in path.read_bytes()


def test_an_existing_file_needs_force(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("precious and longer than what comes after it " * 9)
    with pytest.raises(ConfigurationError, match="is there already"):
        open_sink(path)
    assert path.read_text().startswith("precious")
    with open_sink(path, force=True):
        pass
    assert path.read_bytes() == b"row,given,iccid,verdict,reason,attempts\r\n"


@pytest.mark.parametrize("name", ["out", "out.txt", "out.csv.gz", ".csv"])
def test_the_ending_says_what_is_written(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"\.csv or \.jsonl"):
        open_sink(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot write"):
        open_sink(tmp_path / "none" / "out.csv")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(ConfigurationError, match="cannot write"):
        open_sink(tmp_path / "dir.csv", force=True)


def test_a_record_does_not_show_its_iccid():
    assert "8985200000000000000" not in repr(RECORD)
