from __future__ import annotations

import gzip
import io
import json

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sources import read_iccids
from linksfield_async.bulk.iccid import clean_iccid

A, B = "8985200000000000000", "89852000000000000001"


def rows(content, column=None):
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [(row.number, row.given) for row in read_iccids(stream, column)]


def line(**fields):
    return json.dumps(fields) + "\n"


def test_objects_are_known_by_their_first_character():
    text = "\ufeff\r\n" + line(n=1, ICCID=A) + "\r\n" + line(ICCID=B, n=2) + "\n\n"
    assert rows(text) == [(1, ""), (2, A), (3, ""), (4, B)]
    assert read_iccids(io.StringIO(text)).header == "ICCID"


def test_the_field_is_the_one_named_or_the_only_one():
    assert rows(line(iccid=A, other=B), "Other") == [(1, B)]
    assert rows(line(card=A)) == [(1, A)]
    with pytest.raises(ConfigurationError, match="no column 'x'; the columns are: a, b"):
        rows(line(a=1, b=2), "x")
    with pytest.raises(ConfigurationError, match="name one; the columns are: a, b"):
        rows(line(a=1, b=2))


@pytest.mark.parametrize("name", ["cards.jsonl", "cards.NDJSON", "cards.jsonl.gz"])
def test_texts_in_each_line_are_known_by_the_name(tmp_path, name):
    path = tmp_path / name
    content = f'"{A}"\n"\\u0038{B[1:]}"\n'.encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with read_iccids(path) as read:
        assert (read.header, [row.given for row in read]) == (None, [A, B])


def test_b10_a_bad_line_costs_nothing_but_itself():
    bad = [
        ('{"iccid": "8985', "not valid JSON"),
        (A + '"}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        (line(iccid=int(B)), "loses digits"),
        (line(iccid=8.9852e19), "loses digits"),
        ('{"iccid": NaN}', "loses digits"),
        (B, "loses digits"),
        (line(iccid=[A]), "neither a text"),
        (line(iccid=True), "neither a text"),
        (line(other=A), "no field"),
        (line(iccid=None), "blank"),
        (line(iccid=""), "blank"),
    ]
    text = "".join(line(iccid=A) + wrong.strip() + "\n" for wrong, _ in bad) + line(iccid=B)
    found = rows(text)
    assert [number for number, _ in found] == list(range(1, 2 * len(bad) + 2))
    assert [given for _, given in found[::2]] == [A] * len(bad) + [B]
    for (_, given), (_, reason) in zip(found[1::2], bad, strict=True):
        with pytest.raises(ConfigurationError, match=reason):
            clean_iccid(given)


def test_a_number_is_shown_with_every_digit_it_has():
    (_, number), (_, huge) = rows(line(iccid=int(B)) + '{"iccid":' + "9" * 5_000 + "}\n")
    assert number == f"[number] {B}"
    assert huge.startswith("[number] 999")


def test_b10_a_line_that_is_not_utf_8_is_told_by_its_row():
    content = line(iccid=A).encode() + b'{"iccid": "8\xff9"}\n' + line(iccid=B).encode()
    (_, first), (_, wrong), (_, last) = rows(content)
    assert (first, last) == (A, B)
    assert wrong == '[not JSON] {"iccid": "8\\xff9"}'


def test_a_bad_first_line_leaves_the_field_to_the_next_one():
    assert rows('{"iccid": \n' + line(n="1", iccid=A)) == [(1, '[not JSON] {"iccid":'), (2, A)]


def test_a_field_may_be_spelled_otherwise_further_down():
    text = line(iccid=A) + line(Iccid=B) + line(ICCID=A, Iccid=B) + line(card=A, owner="Ann")
    assert rows(text) == [
        (1, A),
        (2, B),
        (3, "[no field] ICCID, Iccid"),
        (4, "[no field] card, owner"),
    ]


@pytest.mark.parametrize("text", ["{\n", "[\n", '["898", "898"]\n'])
def test_json_over_several_lines_is_refused_at_once(tmp_path, text):
    path = tmp_path / "cards.jsonl"
    path.write_text(text + '"a": 1}\n')
    with pytest.raises(ConfigurationError, match="one object in each line"):
        read_iccids(path)
