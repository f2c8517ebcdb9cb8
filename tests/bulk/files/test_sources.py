from __future__ import annotations

import gzip
import hashlib
import io
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sources import KNOWN_COLUMNS, MAX_LINE, Row, read_iccids
from linksfield_async.sandbox import SAMPLE_CARDS
from linksfield_async.sandbox.sample import sample_rows

A, B, C = "8985200000000000000", "89852000000000000001", "8985200000000000002"


def rows(content: str | bytes, column: str | None = None) -> list[tuple[int, str]]:
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    with read_iccids(stream, column) as read:
        return [(row.number, row.given) for row in read]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_one_in_each_line(end, last):
    assert rows(end.join((A, B, C)) + (end if last else "")) == [(1, A), (2, B), (3, C)]


@pytest.mark.parametrize("name", [*KNOWN_COLUMNS, "ICCID", " Device Code ", '"Sim-Id"'])
def test_a_known_name_is_the_header(name):
    assert rows(f"{name}\n{A}\n") == [(2, A)]
    assert rows(f"order,{name},x\n1,{A},2\n") == [(2, A)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter):
    lines = (("name", "iccid"), ("a", A), ("b", B))
    assert rows("\n".join(map(delimiter.join, lines))) == [(2, A), (3, B)]


def test_the_likeliest_of_several_known_columns():
    assert rows(f"sim_id,iccid\n1,{A}\n") == [(2, A)]
    assert rows(f"sim_id,iccid\n{B},{A}\n", "sim_id") == [(2, B)]


def test_the_only_column_may_have_any_name():
    read = read_iccids(io.BytesIO(f"Karten\n{A}\n".encode()))
    assert (read.header, list(read)) == ("Karten", [Row(2, A)])
    assert rows(f"Karten,,\n{A},,\n") == [(2, A)]
    assert rows(f"{A},\n{B},\n") == [(1, A), (2, B)]


def test_a_first_row_with_a_digit_is_no_header():
    read = read_iccids(io.BytesIO(f"8.98E+19\n{A}\n".encode()))
    assert (read.header, [row.number for row in read]) == (None, [1, 2])


def test_a_column_by_name_exactly_or_without_case():
    text = f"Card,card,x\n1,{A},2\n"
    assert rows(text, "card") == [(2, A)]
    assert rows(text, "Card") == [(2, "1")]
    assert rows(f"Card No.,x\n{A},2\n", "card_no") == [(2, A)]


def test_blank_rows_are_rows_but_for_those_at_the_end():
    assert rows(f"{A}\n\n  \n{B}\n\n\n") == [(1, A), (2, ""), (3, ""), (4, B)]
    assert rows(f"iccid,x\n,1\n,\n{A},\n,\n\n") == [(2, ""), (3, ""), (4, A)]
    assert rows(f"\n\n{A}\n") == [(1, ""), (2, ""), (3, A)]
    assert rows(f"\n\niccid\n{A}\n") == [(4, A)]


def test_a_short_row_has_nothing_to_give():
    assert rows(f"x,iccid\n1\n2,{A}\n") == [(2, ""), (3, A)]


def test_what_does_not_fit_one_column_stays_together():
    assert rows(f"{A}\n{B},{C}\n") == [(1, A), (2, f"{B},{C}")]


def test_quoted_cells_count_as_one_row_over_several_lines():
    assert rows(f'note,iccid\n"a\nb, ""c""",{A}\nd,{B}\n') == [(2, A), (3, B)]


def test_text_stays_text():
    cells = ["0089852000000000000", "8.98524E+19", "1e5", "'8985", "８９８５", "nan"]
    text = "iccid,x\n" + "".join(f"{cell},1\n" for cell in cells)
    assert [given for _, given in rows(text)] == cells


def test_a_byte_order_mark_is_no_part_of_the_name():
    assert rows(b"\xef\xbb\xbficcid\n" + A.encode()) == [(2, A)]
    assert rows(b"\xef\xbb\xbf" + A.encode()) == [(1, A)]


def test_text_streams_are_read_too():
    assert list(read_iccids(io.StringIO(f"\ufefficcid\n{A}\n"))) == [Row(2, A)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n \n,;\n", "is empty"),
        ("\ufeff", "is empty"),
        ("iccid\n\n", "header and no rows"),
        ("a,b,a@b.example\n1,2,3\n", r"name one; the columns are: a, b, \*\*\*"),
        ("a,\x1b[31m\n1,2\n", r"\\x1b\[31m"),
        ("iccid,b,Iccid\n1,2,3\n", "'iccid' stands there twice"),
        ('iccid,"x\n1,2\n', "first row is not valid CSV"),
        (f'iccid,x\n{A},"x\n{B},y\n', "ends in line 3 is not valid CSV"),
        (f'iccid,x\n{A},"x"y\n', "ends in line 2 is not valid CSV"),
        (f"{A}\r{B}\r{C}", "CR alone"),
        ("8" * (MAX_LINE + 1), f"line 1 is longer than {MAX_LINE} bytes"),
        (f"{A}\n" + "8" * (MAX_LINE + 1), "line 2 is longer"),
        (b"PK\x03\x04\x00", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1", "old Excel workbook"),
        (b"\x1f\x8b\x08", "compressed data is cut off"),
        (b"BZh91AY", "use gzip"),
        (b"\xff\xfe8\x00", "UTF-16"),
        (b"\xfe\xff\x008", "UTF-16"),
        (b"%PDF-1.7", "is a PDF"),
        (b"iccid\n1\n2\xe9\n", "byte 0xE9 in line 3, byte 9 of the file"),
        (b"caf\xe9,iccid\n", "byte 0xE9 in line 1, byte 3 of the file"),
    ],
)
def test_what_cannot_be_read_is_told_to_the_place(content, problem):
    with pytest.raises(ConfigurationError, match=problem):
        rows(content)


def test_an_unknown_column_lists_those_there_are():
    with pytest.raises(ConfigurationError, match="no column 'sim'; the columns are: a, b"):
        rows("a,b\n1,2\n", "sim")
    with pytest.raises(ConfigurationError, match="no column 'sim'; the columns are: iccid"):
        rows("iccid\n1\n", "sim")


@pytest.mark.parametrize("path", ["/no/such/file", "/", "a\0b"])
def test_a_file_that_cannot_be_opened(path):
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_iccids(path)


def test_a_file_is_closed_and_a_stream_is_not(tmp_path):
    path = tmp_path / "cards.txt"
    path.write_text(A)
    with read_iccids(path) as read:
        assert read.size == len(A)
        assert list(read) == [Row(1, A)]
        assert read.bytes_read == len(A)
    assert read.status is None
    assert read._stream.closed
    stream = io.BytesIO(A.encode())
    with read_iccids(stream) as read:
        assert (read.size, read.status) == (None, None)
    assert not stream.closed


def test_the_sample_file_row_by_row():
    with read_iccids(SAMPLE_CARDS) as read:
        found = list(read)
    assert read.header == "iccid"
    assert found == [Row(number, cell) for number, (cell, _) in enumerate(sample_rows(), 2)]


@given(st.lists(st.text("0123456789E+.,;'\" \t-F８x\u200b"), min_size=1))
def test_no_line_of_a_list_is_lost(lines):
    text = "iccid\n" + "\n".join(lines)
    kept = list(enumerate(lines, 2))
    while kept and not kept[-1][1].strip():
        kept.pop()
    if not kept:
        with pytest.raises(ConfigurationError):
            rows(text)
    else:
        assert rows(text) == [(n, line if line.strip() else "") for n, line in kept]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "cards.csv"
    with path.open("w") as file:
        file.write("iccid,name\n")
        for number in range(100_000):
            file.write(f"{A[:-6]}{number:06d},somebody\n")
    tracemalloc.start()
    with read_iccids(path) as read:
        assert sum(1 for _ in read) == 100_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_b10_one_bad_row_blank_rows_doubles_and_mixed_line_ends():
    text = f"\ufefforder;Old ICCID\r\n1;{A}\n2;8.98E+19\r\n\r\n4;{A}\n5;{B}\r\n;\n"
    assert rows(text, "old iccid") == [(2, A), (3, "8.98E+19"), (4, ""), (5, A), (6, B)]


def test_b10_a_renamed_header_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError, match="columns are: id, card number"):
        rows(f"id,card number\n1,{A}\n")
    assert rows(f"id,card number\n1,{A}\n", "Card_Number") == [(2, A)]


class Counting(io.BytesIO):
    def readline(self, size=-1):
        self.lines = getattr(self, "lines", 0) + 1
        return super().readline(size)


def test_b10_no_line_is_read_before_it_is_asked_for():
    stream = Counting(b"iccid\n" + f"{A}\n".encode() * 10_000)
    read = read_iccids(stream)
    for _ in range(3):
        next(read)
    assert stream.lines <= 5


@pytest.mark.parametrize("name", ["cards.csv", "cards.csv.gz"])
def test_progress_is_told_in_bytes_as_they_lie_in_the_file(tmp_path, name):
    path = tmp_path / name
    text = b"iccid\n" + b"".join(b"8985200%013d\n" % (n * n) for n in range(20_000))
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with read_iccids(path) as read:
        next(read)
        assert 0 < read.bytes_read < read.size == path.stat().st_size
        assert sum(1 for _ in read) == 19_999
        assert read.bytes_read == read.size


def test_the_fingerprint_is_that_of_the_whole_file_and_moves_nothing(tmp_path):
    path = tmp_path / "cards.csv"
    content = f"x,Iccid\n1,{A}\n2,{B}\n".encode()
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with read_iccids(path) as read:
        assert next(read) == Row(2, A)
        assert read.fingerprint() == f"sha256:{digest}:{len(content)}:Iccid"
        assert list(read) == [Row(3, B)]
        assert read.name == str(path)
    with read_iccids(path, "x") as read:
        assert read.fingerprint() == f"sha256:{digest}:{len(content)}:x"


def test_a_list_without_a_header_has_a_fingerprint_too(tmp_path):
    path = tmp_path / "cards.txt"
    path.write_text(A)
    with read_iccids(path) as read:
        assert read.fingerprint().endswith(f":{len(A)}:")


def test_streams_and_pipes_have_no_fingerprint(tmp_path):
    assert read_iccids(io.BytesIO(A.encode())).fingerprint() is None
    path = tmp_path / "cards.txt"
    path.write_text(A)
    with path.open("rb") as stream:
        assert read_iccids(stream).fingerprint() is None
    ours, theirs = os.pipe()
    os.write(theirs, A.encode())
    os.close(theirs)
    with read_iccids(f"/dev/fd/{ours}") as read:
        os.close(ours)
        assert (read.fingerprint(), read.size, list(read)) == (None, None, [Row(1, A)])


def test_a_file_replaced_while_it_is_read_has_no_fingerprint(tmp_path):
    path = tmp_path / "cards.txt"
    path.write_text(A)
    with read_iccids(path) as read:
        (tmp_path / "new").write_text(B)
        os.replace(tmp_path / "new", path)
        with pytest.raises(ConfigurationError, match="was replaced"):
            read.fingerprint()
        path.unlink()
        with pytest.raises(ConfigurationError, match="cannot read"):
            read.fingerprint()
