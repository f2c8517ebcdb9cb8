from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import reference_sign, reference_text

from linksfield_async import signing
from linksfield_async.errors import ConfigurationError

CASES = sorted((Path(__file__).parent / "vectors").iterdir())


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest) -> Path:
    return request.param


def params_of(case: Path) -> dict[str, Any]:
    return json.loads((case / "params.json").read_text())


def test_there_are_vectors() -> None:
    assert len(CASES) == 3


def test_a_vector_gives_its_canonical_text(case: Path) -> None:
    assert signing.canonical_text(params_of(case)) == (case / "canonical.txt").read_text()


def test_a_vector_gives_its_sign(case: Path) -> None:
    assert signing.sign(params_of(case)) == (case / "sign.txt").read_text().strip()


text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    text | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(text, text))
def test_any_texts_are_signed_as_the_reference_does(params: dict[str, str]) -> None:
    assert signing.sign(params) == reference_sign(params)


@given(st.dictionaries(text, values))
def test_any_values_are_written_as_the_reference_and_json_do(params: dict[str, Any]) -> None:
    taking_part = {k: v for k, v in params.items() if k != "sign" and v is not None}
    written = signing.canonical_text(params)
    assert written == reference_text(taking_part)
    assert written == json.dumps(
        taking_part, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    assert signing.sign(params) == reference_sign(params)


@given(st.dictionaries(text, st.lists(text)))
def test_lists_keep_their_order(params: dict[str, list[str]]) -> None:
    params.pop("sign", None)
    assert json.loads(signing.canonical_text(params)) == params


def test_nulls_are_left_out_and_empty_strings_kept() -> None:
    assert signing.canonical_text({"b": "", "a": None, "sign": "x"}) == '{"b":""}'


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.5, "float"),
        (float("nan"), "float"),
        ([1.5], r"amount\[0\]: float"),
        ({"x": float("inf")}, r"amount\.x: float"),
        (b"4.99", "bytes"),
        ({4}, "set"),
        (object(), "object"),
        ({1: "x"}, "keys must be text"),
        pytest.param(10**5000, "JSON", id="5,001 digits"),
    ],
)
def test_what_has_no_one_spelling_is_refused_by_name(value: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        signing.canonical_text({"amount": value})


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ConfigurationError, match="nested"):
        signing.sign({"a": value})


@given(text, st.characters(categories=["Cs"]))
def test_a_lone_surrogate_is_refused(before: str, surrogate: str) -> None:
    with pytest.raises(ConfigurationError, match="lone surrogate"):
        signing.sign({"a": before + surrogate})


def test_a_hashlib_without_plain_md5_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MD5 is barred as a security function, as a checksum it is not."""
    real = hashlib.md5

    def fips(data: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return real(data, usedforsecurity=False)

    monkeypatch.setattr(signing, "md5", fips)
    assert signing.sign({"a": "1"}) == reference_sign({"a": "1"})


# explain


def explained(case: Path, given_text: str) -> tuple[str, ...]:
    wrong = hashlib.md5(given_text.encode(), usedforsecurity=False).hexdigest()
    told = signing.explain(params_of(case), wrong)
    assert told.matches is False
    assert told.given == wrong
    if told.differences:
        assert told.implied_text == given_text
    return told.differences


def dumps(params: dict[str, Any], **how: Any) -> str:
    return json.dumps(params, **({"ensure_ascii": False, "separators": (",", ":")} | how))


def vector(name: str) -> Path:
    return next(case for case in CASES if case.name == name)


def test_explain_a_right_sign(case: Path) -> None:
    told = signing.explain(params_of(case) | {"sign": (case / "sign.txt").read_text().strip()})
    assert told.matches is True
    assert told.differences == ()
    assert told.text == (case / "canonical.txt").read_text()
    assert "sorted by key" in told.rule


def test_explain_without_a_sign() -> None:
    told = signing.explain({"a": "1"})
    assert told.matches is None
    assert told.sign == reference_sign({"a": "1"})


def test_explain_dropped_empties() -> None:
    case = vector("SynOrderInfo")
    params = {k: v for k, v in params_of(case).items() if v != ""}
    assert explained(case, dumps(params, sort_keys=True)) == ("empty strings are left out",)


def test_explain_escaped_non_ascii() -> None:
    case = vector("singleServicePlanPage")
    wrong = dumps(params_of(case), sort_keys=True, ensure_ascii=True)
    assert explained(case, wrong) == ("non-ASCII is escaped as \\uXXXX",)


def test_explain_escaped_slashes() -> None:
    case = vector("singleVerify")
    wrong = dumps(params_of(case), sort_keys=True).replace("/", "\\/")
    assert explained(case, wrong) == ("'/' is escaped as \\/",)


def test_explain_wrong_order() -> None:
    params = {"version": "3.0", "deviceCode": "1", "Area": "x"}
    wrong = hashlib.md5(dumps(params).encode(), usedforsecurity=False).hexdigest()
    assert "not sorted" in signing.explain(params, wrong).differences[0]


def test_explain_an_order_that_cannot_be_seen_in_the_parameters() -> None:
    case = vector("singleVerify")
    backwards = dict(sorted(params_of(case).items(), reverse=True))
    assert explained(case, dumps(backwards)) == ("the keys are sorted backwards",)


def test_explain_two_mistakes_at_once() -> None:
    case = vector("singleServicePlanPage")
    wrong = json.dumps(params_of(case), sort_keys=True)
    assert set(explained(case, wrong)) == {
        "non-ASCII is escaped as \\uXXXX",
        "there are spaces after ':' and ','",
    }


def test_explain_a_missing_field(case: Path) -> None:
    params = params_of(case)
    del params["tradeTime"]
    (told,) = explained(case, dumps(params, sort_keys=True))
    assert "tradeTime is missing from what was signed" in told


def test_explain_an_extra_field() -> None:
    case = vector("singleServicePlanPage")
    (told,) = explained(case, dumps(params_of(case) | {"url": ""}, sort_keys=True))
    assert "url='' was signed that is not among those sent" in told


def test_explain_upper_case_and_white_space() -> None:
    told = signing.explain({"a": "1"}, f" {reference_sign({'a': '1'}).upper()}\n")
    assert told.matches is False
    assert told.differences == (
        "the sign has white space around it",
        "the sign is in upper case",
    )


@pytest.mark.parametrize("given_sign", ["", "123", "z" * 32, "中" * 32])
def test_explain_what_is_no_digest(given_sign: str) -> None:
    told = signing.explain({"a": "1"}, given_sign)
    assert "not an MD5 digest" in told.differences[-1]


def test_explain_admits_that_it_found_nothing() -> None:
    told = signing.explain({"a": "1"}, "0" * 32)
    assert told.differences == ()
    assert told.implied_text is None
