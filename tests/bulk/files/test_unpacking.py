from __future__ import annotations

import gzip
import io
import random
import tracemalloc

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sources import read_iccids
from linksfield_async.bulk.files.unpacking import Unpacked

CARDS = [f"8985200{number:013d}" for number in range(5_000)]
TEXT = "iccid\n" + "\n".join(CARDS) + "\n"
PACKED = gzip.compress(TEXT.encode())


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time and cannot go back."""

    def __init__(self, content: bytes, step: int) -> None:
        self._content = io.BytesIO(content)
        self._step = step

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self._content.read(min(len(buffer), self._step))
        buffer[: len(part)] = part
        return len(part)


def cards(content: bytes) -> list[str]:
    return [row.given for row in read_iccids(io.BytesIO(content))]


def test_b10_gzip_is_known_by_its_first_bytes(tmp_path):
    path = tmp_path / "cards.csv"
    path.write_bytes(PACKED)
    with read_iccids(path) as read:
        assert (read.header, [row.given for row in read]) == ("iccid", CARDS)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_from_a_pipe_and_in_several_members(step):
    half = len(TEXT) // 2
    packed = gzip.compress(TEXT[:half].encode()) + gzip.compress(TEXT[half:].encode()) + b"\0\0"
    with io.BufferedReader(Pipe(packed, step)) as pipe:
        assert [row.given for row in read_iccids(pipe)] == CARDS


@pytest.mark.parametrize("cut", [3, 100, len(PACKED) // 2, len(PACKED) - 1])
def test_b10_what_is_cut_off_tells_the_row_after_every_whole_one_was_given(cut):
    given = []

    def read():
        given.extend(row.given for row in read_iccids(io.BytesIO(PACKED[:cut])))

    with pytest.raises(ConfigurationError, match="cut off") as caught:
        read()
    assert given == CARDS[: len(given)]
    if given:
        assert f"after the row that ends in line {len(given) + 1}: " in str(caught.value)
    if cut == len(PACKED) - 1:
        assert given == CARDS


def test_what_is_damaged_is_told():
    with pytest.raises(ConfigurationError, match="may be wrong"):
        cards(PACKED[:-8] + b"12345678")
    with pytest.raises(ConfigurationError, match="may be wrong"):
        cards(PACKED[:40] + b"\xff" * 40 + PACKED[80:])
    with pytest.raises(ConfigurationError, match="may be wrong"):
        cards(PACKED + b"rubbish")


@pytest.mark.parametrize("inner", [PACKED, b"PAR1", b"PK\x03\x04"])
def test_an_archive_in_an_archive_is_refused(inner):
    with pytest.raises(ConfigurationError, match=r"holds another archive|Excel workbook or a zip"):
        cards(gzip.compress(inner))


def test_nothing_inside_is_told_like_nothing():
    with pytest.raises(ConfigurationError, match="is empty"):
        cards(gzip.compress(b"\n\n"))


def test_a_wrong_byte_is_told_in_the_unpacked_text():
    with pytest.raises(ConfigurationError, match="0xE9 in line 2, byte 7 of the unpacked text"):
        cards(gzip.compress(b"iccid\n8\xe9\n"))


def test_b10_no_more_is_unpacked_than_is_asked_for():
    packed = gzip.compress(random.Random(1).randbytes(100) * 10 + b"\n" + bytes(64 << 20), 1)
    stream = io.BytesIO(packed)
    tracemalloc.start()
    line = Unpacked(b"", stream).readline(1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line.endswith(b"\n")
    assert stream.tell() < len(packed)
    assert peak < 2_000_000
