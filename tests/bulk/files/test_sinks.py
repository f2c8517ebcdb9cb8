from __future__ import annotations

import csv
import errno
import gc
import io
import json
import os

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sinks import (
    COLUMNS,
    CsvSink,
    JsonLinesSink,
    ParquetSink,
    Record,
    formula_safe,
    open_sink,
)

RECORD = Record(7, " '89", "8985200000000000000", "refused", 'he said "no", twice', 2)


def test_b24_csv_is_rfc_4180():
    stream = io.BytesIO()
    CsvSink(stream).write(RECORD)
    assert stream.getvalue() == (
        b"row,given,iccid,verdict,reason,attempts,duplicate_of\r\n"
        b'7, \'89,8985200000000000000,refused,"he said ""no"", twice",2,\r\n'
    )


def test_b24_csv_keeps_lines_and_delimiters_in_their_cells():
    stream = io.BytesIO()
    given = 'a\r\nb,c;"d"\n欧\ud800'
    CsvSink(stream).write(Record(1, given, "", "invalid_input", "x", 0, 3))
    text = stream.getvalue().decode()
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert row == ["1", given.replace("\ud800", "\\ud800"), "", "invalid_input", "x", "0", "3"]


@pytest.mark.parametrize("start", list("=+-@\t\r\n＝＋－＠"))
def test_b24_no_cell_is_a_formula(start):
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
def test_what_was_flushed_is_there(tmp_path, name):
    path = tmp_path / name
    with open_sink(path) as sink:
        sink.write(RECORD)
        sink.flush()
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
    assert path.read_bytes() == b"row,given,iccid,verdict,reason,attempts,duplicate_of\r\n"


@pytest.mark.parametrize("name", ["out", "out.txt", "out.csv.gz", ".csv"])
def test_the_ending_says_what_is_written(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"\.csv or \.jsonl or \.parquet"):
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


def records(first, last):
    return [Record(n, f'{n}\r\n"', "", "invalid_input", "x", 0, 2) for n in range(first, last)]


def write_all(sink, given):
    with sink:
        for record in given:
            sink.write(record)


def rows_of(path):
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [int(row["row"]) for row in csv.DictReader(file)]
    return [json.loads(line)["row"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_records_are_handed_over_before_they_are_many(tmp_path, name):
    path = tmp_path / name
    with open_sink(path) as sink:
        for record in records(2, 1_502):
            sink.write(record)
        assert b"1000" in path.read_bytes()
    assert rows_of(path) == list(range(2, 1_502))


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize("lost", [0, 1, 2, 5, 20])
def test_a_file_is_gone_on_with_after_its_last_whole_record(tmp_path, name, lost):
    path = tmp_path / name
    write_all(open_sink(path, resume=True), records(2, 12))
    os.truncate(path, path.stat().st_size - lost)
    sink = open_sink(path, resume=True)
    kept = range(2, 12 if not lost else 11)
    assert [row for row in range(20) if row in sink.written] == list(kept)
    assert len(sink.written) == len(kept)
    write_all(sink, [record for record in records(2, 15) if record.row not in sink.written])
    assert rows_of(path) == list(range(2, 15))


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_every_place_where_a_crash_can_cut_is_a_place_to_go_on(tmp_path, name):
    path, whole = tmp_path / name, tmp_path / f"whole-{name}"
    write_all(open_sink(whole), records(2, 5))
    content = whole.read_bytes()
    for cut in range(0, len(content), 1 if path.suffix != ".parquet" else 97):
        path.write_bytes(content[:cut])
        sink = open_sink(path, resume=True)
        write_all(sink, [record for record in records(2, 5) if record.row not in sink.written])
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.csv", "precious"),
        ("out.csv", "a,b\r\n1,2\r\n"),
        ("out.csv", "row,given,iccid,verdict,reason,attempts,duplicate_of,more\r\n"),
        ("out.csv", "row,given,iccid,verdict,reason,attempts\r\n"),
        ("out.jsonl", "precious"),
        ("out.jsonl", '{"row":1}\n'),
        ("out.jsonl", '["row"]\n'),
        ("out.parquet", "precious"),
    ],
)
def test_a_file_of_something_else_stays_as_it_is(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    with pytest.raises(ConfigurationError, match="not a results file of this program"):
        open_sink(path, resume=True)
    assert path.read_bytes() == content.encode()


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_row_that_is_there_twice_is_named(tmp_path, name):
    path = tmp_path / name
    write_all(open_sink(path), [*records(2, 5), *records(4, 5)])
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="row 4 twice"):
        open_sink(path, resume=True)
    assert path.read_bytes() == before


def test_force_and_resume_exclude_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match="choose one"):
        open_sink(tmp_path / "out.csv", force=True, resume=True)


class SmallDisk(io.FileIO):
    room = 2_000

    def write(self, data):
        taken = bytes(data)[: self.room]
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(taken)
        return super().write(taken)


@pytest.mark.parametrize("kind", [CsvSink, JsonLinesSink, ParquetSink])
def test_a_full_disk_is_told_and_what_was_whole_can_be_gone_on_with(tmp_path, kind):
    path = tmp_path / f"out.{ {CsvSink: 'csv', JsonLinesSink: 'jsonl'}.get(kind, 'parquet') }"
    given = [Record(n, str(n * n * 7919), "", "refused", "x", 0) for n in range(2, 3_000)]
    with pytest.raises(OSError, match="No space left") as caught:
        write_all(kind(io.BufferedWriter(SmallDisk(path, "w"))), given)
    assert caught.value.errno == errno.ENOSPC
    gc.collect()  # nothing is left behind that complains
    sink = open_sink(path, resume=True)
    assert (len(sink.written) > 10) == (kind is not ParquetSink)
    write_all(sink, [record for record in given if record.row not in sink.written])
    if kind is not ParquetSink:
        assert rows_of(path) == list(range(2, 3_000))


def test_parquet_reads_back(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    second = Record(8, "=1\ud800", "", "invalid_input", "", 0, 7)
    write_all(open_sink(path), [RECORD, second])
    table = parquet.read_table(path)
    assert table.column_names == list(COLUMNS)
    first, last = table.to_pylist()
    assert (first["row"], first["iccid"], first["duplicate_of"]) == (7, RECORD.iccid, None)
    assert (last["given"], last["duplicate_of"]) == ("=1\\ud800", 7)
    assert {str(kind) for kind in table.schema.types} == {"int64", "string"}


def test_parquet_is_written_in_row_groups(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    write_all(open_sink(path), (RECORD for _ in range(45_000)))
    groups = parquet.ParquetFile(path).metadata
    assert [groups.row_group(n).num_rows for n in range(3)] == [20_000, 20_000, 5_000]


def test_a_finished_parquet_file_starts_anew(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    path = tmp_path / "out.parquet"
    write_all(open_sink(path), records(2, 5))
    with open_sink(path, resume=True) as sink:
        assert len(sink.written) == 0
    arrow.parquet.write_table(arrow.table({"a": [1]}), path)
    with pytest.raises(ConfigurationError, match="not a results file"):
        open_sink(path, resume=True)
    assert arrow.parquet.read_table(path).num_rows == 1
