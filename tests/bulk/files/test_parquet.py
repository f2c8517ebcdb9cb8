from __future__ import annotations

import io
import sys

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sinks import check_ending, open_sink
from linksfield_async.bulk.files.sources import Row, read_iccids

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

A, B = "8985200000000000000", "89852000000000000001"


@pytest.fixture
def write(tmp_path):
    def write(table, name="cards.parquet", **options):
        path = tmp_path / name
        pq.write_table(pa.table(table), path, **options)
        return path

    return write


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
@pytest.mark.parametrize("name", ["cards.parquet", "cards"])
def test_columns_of_text_are_read(write, kind, name):
    kinds = {"dictionary": pa.dictionary(pa.int32(), pa.string())}
    column = pa.array([A, None, B, ""], type=kinds.get(kind) or getattr(pa, kind)())
    with read_iccids(write({"n": [1, 2, 3, 4], "Iccid": column}, name)) as read:
        assert (read.header, read.size > 0) == ("Iccid", True)
        assert list(read) == [Row(1, A), Row(2, ""), Row(3, B), Row(4, "")]
        assert read.bytes_read == read.size


def test_the_column_named_or_the_only_one(write):
    assert list(read_iccids(io.BytesIO(write({"x": [A]}).read_bytes()))) == [Row(1, A)]
    with read_iccids(write({"x.y": [A], "z": [B]}), "x.y") as read:
        assert list(read) == [Row(1, A)]
        assert read.fingerprint().endswith(":x.y")
    with pytest.raises(ConfigurationError, match="columns are: x, z"):
        read_iccids(write({"x": [A], "z": [B]}))


@pytest.mark.parametrize("kind", ["int64", "float64", "decimal128(20)", "dictionary"])
def test_b11_a_column_of_numbers_is_refused_at_once(write, kind):
    numbers = pa.array([8985200000, 1])
    if kind == "dictionary":
        column = numbers.dictionary_encode()
    else:
        column = numbers.cast(pa.decimal128(20) if "(" in kind else getattr(pa, kind)())
    with pytest.raises(ConfigurationError, match=r"'iccid' is a column of numbers.*dtype=str"):
        read_iccids(write({"iccid": column}))


def test_a_column_of_something_else_is_refused(write):
    with pytest.raises(ConfigurationError, match=r"holds list<.*write the ICCIDs as strings"):
        read_iccids(write({"iccid": [[A]]}))


def test_row_groups_are_read_as_they_are_asked_for(write):
    cards = [f"8985200{n:013d}" for n in range(100_000)]
    path = write({"iccid": cards}, row_group_size=10_000, use_dictionary=False)
    with read_iccids(path) as read:
        assert next(read) == Row(1, cards[0])
        assert read.bytes_read < read.size / 10
        assert read._stream.tell() < read.size
        assert [row.given for row in read] == cards[1:]


def test_memory_stays_that_of_a_part_of_a_row_group(write):
    path = write({"iccid": [f"8985200{n:013d}" for n in range(300_000)]}, use_dictionary=False)
    before = pa.total_allocated_bytes()
    with read_iccids(path) as read:
        most = max(pa.total_allocated_bytes() - before for _ in read)
    assert most < 3_000_000


def test_what_is_no_parquet_is_told(tmp_path, write):
    path = tmp_path / "no.parquet"
    path.write_text(A)
    with pytest.raises(ConfigurationError, match="no Parquet file, or not whole"):
        read_iccids(path)
    whole = write({"iccid": [A]}).read_bytes()
    with pytest.raises(ConfigurationError, match="no Parquet file, or not whole"):
        read_iccids(io.BytesIO(whole[:-3]))
    with pytest.raises(ConfigurationError, match="no rows below"):
        read_iccids(write({"iccid": pa.array([], pa.string())}))


def test_a_damaged_page_is_told_with_the_row_reached(write):
    path = write({"iccid": [f"8985200{n:013d}" for n in range(50_000)]}, row_group_size=10_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60_000] = b"\xff" * 60_000
    read = read_iccids(io.BytesIO(content[: len(content)]))
    with pytest.raises(ConfigurationError, match=r"damaged after row \d{4}"):
        list(read)


def test_a_text_that_is_not_utf_8_costs_nothing_but_itself(write):
    column = pa.array([A.encode(), b"8\xff", None, B.encode()])
    wrong = pa.Array.from_buffers(pa.string(), 4, column.buffers())
    with read_iccids(write({"iccid": wrong})) as read:
        assert [row.given for row in read] == [A, "[not UTF-8] 8\\xff", "", B]


def test_a_pipe_is_refused(write):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    with pytest.raises(ConfigurationError, match="name a file, not a pipe"):
        read_iccids(Pipe(write({"iccid": [A]}).read_bytes()))


def test_without_pyarrow_the_extra_is_named(write, monkeypatch, tmp_path):
    path = write({"iccid": [A]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (read_iccids, check_ending, lambda _: open_sink(tmp_path / "out.parquet")):
        with pytest.raises(ConfigurationError, match=r"pip install 'linksfield_async\[parquet\]'"):
            call(path)
    assert not (tmp_path / "out.parquet").exists()
