"""Each known mistake is made here by hand, alone and with others, and must be named."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from itertools import combinations
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from linksfield_async.mistakes import MOST_FOR_PAIRS, likeness

PARAMS: dict[str, Any] = {
    "version": "3.0",
    "partnerCode": "P000270",
    "tradeTime": "1645683857572",
    "tradeType": "singleServicePlanPage",
    "group_id": "G1",
    "languageCode": "",
    "area": "欧洲 & é/ß",
    "url": "https://a.example/x?y=1&z=<2>",
    "email": " A@b.example",
    "none": None,
    "count": 3,
    "Zone": "x",
    "sim_ids": ["8952", "8951"],
}
PLACES = {"group_id": "path", **{name: "body" for name in PARAMS if name != "group_id"}}


def md5(text: str, encoding: str = "utf-8") -> str:
    return hashlib.md5(text.encode(encoding, "surrogatepass")).hexdigest()


def text(params: dict[str, Any] = PARAMS, **how: Any) -> str:
    kept = {name: value for name, value in params.items() if value is not None}
    return json.dumps(
        kept, **({"sort_keys": True, "ensure_ascii": False, "separators": (",", ":")} | how)
    )


def each(change: Any) -> dict[str, Any]:
    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(item) for item in value]
        return change(value) if isinstance(value, str) else value

    return {name: one(value) for name, value in PARAMS.items()}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in PARAMS.items() if name not in names}


ASCII = text(ensure_ascii=True)
KEPT = {name: value for name, value in PARAMS.items() if value is not None}
SIGNS = {
    "empty strings are left out": md5(text({k: v for k, v in PARAMS.items() if v != ""})),
    "nulls are kept": md5(
        json.dumps(PARAMS, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    ),
    "in the order sent": md5(text(sort_keys=False)),
    "sorted backwards": md5(text(dict(sorted(KEPT.items(), reverse=True)), sort_keys=False)),
    "without regard to case": md5(
        text(dict(sorted(KEPT.items(), key=lambda one: one[0].lower())), sort_keys=False)
    ),
    "there are spaces": md5(text(separators=(", ", ": "))),
    "indented by two": md5(text(indent=2, separators=(",", ": "))),
    "indented by four": md5(text(indent=4, separators=(",", ": "))),
    "ends in a line break": md5(text() + "\n"),
    "escaped as \\uXXXX": md5(ASCII),
    "upper-case digits": md5(ASCII.replace("\\u6b27", "\\u6B27").replace("\\u6d32", "\\u6D32").replace("\\u00e9", "\\u00E9").replace("\\u00df", "\\u00DF")),
    "'/' is escaped": md5(text().replace("/", "\\/")),
    "escaped as \\u003c": md5(
        text().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    ),
    "upper case": md5(text()).upper(),
    "white space around": f" {md5(text())}\n",
    "quotes around": f'"{md5(text())}"',
    "MD5 of the MD5": None,
    "missing": md5(text(without("tradeTime"))),
    "parameters of the path are left out (group_id)": md5(text(without("group_id"))),
    "parameters of the body are left out": md5(text({"group_id": "G1"})),
    "without quotes": md5(text().replace('"1645683857572"', "1645683857572").replace('"3.0"', "3.0").replace('"8952","8951"', "8952,8951")),
    "were sent without": md5(text(PARAMS | {"count": "3"})),
    "GBK": md5(text(PARAMS | {"area": "欧洲"}), "gbk"),
    "Latin-1, not": md5(text(PARAMS | {"area": "é"}), "latin-1"),
    "UTF-16": md5(text(), "utf-16-le"),
    "byte order mark": md5(text(), "utf-8-sig"),
    "was read as Latin-1": md5(text().encode().decode("latin-1")),
    "values are URL-encoded": md5(text(each(lambda value: quote(value, safe="")))),
    "with '/' left": md5(text(each(quote))),
    "form-encoded": md5(text(each(quote_plus))),
    "white space around values": md5(text(each(str.strip))),
    "lists are sorted": md5(text(PARAMS | {"sim_ids": ["8951", "8952"]})),
    "joined by commas": md5(text(PARAMS | {"sim_ids": "8952,8951"})),
    "hold JSON": md5(text(PARAMS | {"sim_ids": '["8952","8951"]'})),
    "in seconds": md5(text(PARAMS | {"tradeTime": "1645683857"})),
    "itself takes part, as an empty text": md5(text(PARAMS | {"sign": ""})),
    "key=value pairs": md5(
        "&".join(
            f"{name}={json.dumps(value) if not isinstance(value, str) else value}"
            for name, value in sorted(KEPT.items())
        )
    ),
    "JSON string that holds": md5(json.dumps(text())),
    "the access code takes part, after": md5(text() + "s3cret"),
    "the access code takes part, before": md5("s3cret" + text()),
    "as parameter access_code": md5(text(PARAMS | {"access_code": "s3cret"})),
    "HMAC": hmac.new(b"s3cret", text().encode(), "md5").hexdigest(),
    "middle 16": md5(text())[8:24],
    "first 16": md5(text())[:16],
    "SHA1": hashlib.sha1(text().encode()).hexdigest(),
    "SHA256": hashlib.sha256(text().encode()).hexdigest(),
    "Base64": base64.b64encode(hashlib.md5(text().encode()).digest()).decode(),
}  # fmt: skip
SIGNS["MD5 of the MD5"] = md5(md5(text()))
GIVEN = {"GBK": PARAMS | {"area": "欧洲"}, "Latin-1, not": PARAMS | {"area": "é"}}
LISTED = {"MD5 of the MD5": "taken of the MD5 again", "missing": "tradeTime is missing"}


@pytest.mark.parametrize("mistake", SIGNS)
def test_a_mistake_is_named(mistake: str) -> None:
    sign = SIGNS[mistake]
    assert sign is not None
    params = GIVEN.get(mistake, PARAMS)
    found = likeness(params, sign, places=PLACES, access_code="s3cret")
    assert len(found.differences) == 1
    assert LISTED.get(mistake, mistake) in found.differences[0]
    assert found.text is not None
    assert "s3cret" not in found.text


CHANGES = {
    "empty strings are left out": lambda p: {k: v for k, v in p.items() if v != ""},
    "(group_id)": lambda p: {k: v for k, v in p.items() if k != "group_id"},
    "in seconds": lambda p: p | {"tradeTime": "1645683857"},
    "mark='0' was signed": lambda p: p | {"mark": "0"},
    "joined by commas": lambda p: p | {"sim_ids": "8952,8951"},
}
WRITINGS = {
    "there are spaces": {"separators": (", ", ": ")},
    "escaped as \\uXXXX": {"ensure_ascii": True},
    "in the order sent": {"sort_keys": False},
}


@pytest.mark.parametrize("pair", list(combinations([*CHANGES, *WRITINGS], 2)), ids=" + ".join)
def test_two_mistakes_at_once_are_named(pair: tuple[str, str]) -> None:
    params, how = PARAMS, {}
    for one in pair:
        params = CHANGES[one](params) if one in CHANGES else params
        how |= WRITINGS.get(one, {})
    found = likeness(params=PARAMS, given=md5(text(params, **how)), places=PLACES)
    assert len(found.differences) == 2
    assert all(any(one in told for told in found.differences) for one in pair)
    assert found.text == text(params, **how)


def test_three_mistakes_are_not_looked_for() -> None:
    wrong = text(without("mark", "url"), separators=(", ", ": "), ensure_ascii=True)
    assert likeness(PARAMS, md5(wrong)).differences == ()


def test_pairs_are_left_alone_where_the_text_is_long() -> None:
    params = {"a": "é/" * MOST_FOR_PAIRS}
    both = text(params, ensure_ascii=True).replace("/", "\\/")
    assert likeness(params, md5(both)).text is None
    assert likeness(params, md5(text(params, ensure_ascii=True))).differences


@pytest.mark.parametrize("given", ["", "x", "z" * 32, "1" * 31, "中" * 32, "=" * 24])
def test_what_is_no_digest(given: str) -> None:
    assert "not an MD5 digest" in likeness(PARAMS, given).differences[-1]


def test_ten_thousand_parameters_take_no_hours() -> None:
    params = {f"p{number}": "x" for number in range(10_000)}
    assert likeness(params, "a" * 32, places=dict.fromkeys(params, "body")).text is None
