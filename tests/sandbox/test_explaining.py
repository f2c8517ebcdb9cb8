"""Explanations of whole requests: path, query and body, the sign, and what else is wrong."""

import json
from pathlib import Path

import pytest

from linksfield_async import Account, Endpoints
from linksfield_async.errors import ConfigurationError
from linksfield_async.operations import AddSims, GetOrder, ListGroupSims, SingleVerify
from linksfield_async.protocol import build
from linksfield_async.sandbox.explaining import explain_content, first_difference
from linksfield_async.sandbox.signature import signature_of

VECTORS = json.loads(
    (Path(__file__).parents[1] / "contract" / "vectors.json").read_text(encoding="utf-8")
)["vectors"]
OPERATIONS = [
    SingleVerify(iccid="89852420180910340793", url="https://a/b"),
    AddSims(group_id="G 1", iccids=["1", "2"]),
    ListGroupSims(group_id="G 1"),
    GetOrder(iccid="89852420180910340793"),
]


def http(operation, base="http://127.0.0.1"):
    request = build(operation, Account("P000270", endpoints=Endpoints.at(base)), 1645683857572)
    return f"{request.method} {request.url} HTTP/1.1\r\n\r\n{request.body.decode()}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: type(o).__name__)
def test_a_request_of_the_package_is_right(operation):
    told = explain_content(http(operation).encode())
    assert told.matches is True
    assert told.operation == type(operation).__name__
    assert (told.differences, told.implied_text, told.first_difference) == ((), None, None)
    assert told.notes == ()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_genuine_vector_is_right(vector):
    told = explain_content(json.dumps(vector["params"] | {"sign": vector["sign"]}).encode())
    assert told.matches is True
    assert told.operation is None
    assert "no path is known" in told.notes[0]


@pytest.mark.parametrize("prefix", ["/vshop_uat", "/gateway/vshop"])
def test_test_addresses_and_gateways_are_known(prefix):
    content = http(OPERATIONS[0]).replace("/vshop", prefix, 1)
    assert explain_content(content.encode()).operation == "SingleVerify"


def test_path_parameters_left_out_of_the_sign():
    asked = {"version": "3.0", "partnerCode": "P000270"}
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    query = f"partnerCode=P000270&version=3.0&sign={signature_of(text)}"
    told = explain_content(f"GET /topup/mall/bundle-groups/G1/sims?{query} HTTP/1.1\n\n".encode())
    assert told.places["group_id"] == "path"
    assert told.differences == ("the parameters of the path are left out (group_id)",)
    assert told.implied_text == text
    assert told.text[: told.first_difference] == text[: told.first_difference]
    assert told.text[told.first_difference] != text[told.first_difference]


def test_the_query_left_out_of_the_sign():
    query = f"partnerCode=P000270&version=3.0&sign={signature_of('{}')}"
    told = explain_content(f"https://h/topup/mall/bundle-groups/bundles?{query}".encode())
    assert told.differences == ("the parameters of the query are left out (partnerCode, version)",)


def test_an_access_code_that_does_not_belong():
    body = {"version": "3.0"}
    text = json.dumps(body, separators=(",", ":"))
    capture = {"url": "/x", "body": body | {"sign": signature_of(text + "s3cret")}}
    assert explain_content(json.dumps(capture).encode()).differences == ()
    given = explain_content(json.dumps(capture).encode(), access_code="s3cret")
    assert given.differences == ("the access code takes part, after the text",)
    told = explain_content(json.dumps(capture | {"access_code": "s3cret"}).encode())
    assert told.differences == given.differences


def test_what_would_be_refused_besides_the_sign():
    capture = {"url": "/vshop/singleVerify", "body": {"partnerCode": "P1", "version": "3.0"}}
    told = explain_content(json.dumps(capture).encode())
    assert told.matches is None
    assert told.notes == ("besides the sign: tradeTime is missing, empty or not text",)


@pytest.mark.parametrize(
    ("capture", "note"),
    [
        ("POST /vshop/nothing HTTP/1.1\n\n{}", "no operation stands here"),
        ("PUT /vshop/singleVerify HTTP/1.1\n\n{}", "takes POST only"),
        ("POST /vshop/singleVerify?a=1 HTTP/1.1\n\n{}", "the query of a POST is not looked at"),
        ("GET /topup/mall/order?a=1 HTTP/1.1\n\n{}", "the body of a GET is not looked at"),
    ],
)
def test_what_is_odd_about_a_request(capture, note):
    assert any(note in told for told in explain_content(capture.encode()).notes)


@pytest.mark.parametrize(
    ("capture", "told"),
    [
        ("POST /vshop/singleVerify HTTP/1.1\n\na=1&b=2", "form-encoded"),
        ("POST /x HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\na", "form-encoded"),
        ("POST /vshop/singleVerify HTTP/1.1\n\n[1]", "the body must be one JSON object"),
        ("POST /vshop/singleVerify HTTP/1.1\n\n{'a': 1}", "the body: not JSON"),
        ("GET /topup/mall/order?a=1&a=2 HTTP/1.1\n\n", "given twice"),
        ('DELETE /topup/mall/bundle-groups/G1/sims HTTP/1.1\n\n{"group_id": "G2"}', "differs"),
        ('{"payAmount": 12.5}', "payAmount: a number with a fraction cannot be signed"),
        ('{"a": [{"b": 0.5}]}', "a[0].b: a number with a fraction"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "a: nested too deeply"),
        ('{"a": "\\ud800"}', "lone surrogate"),
        ('{"sign": 5}', "the given sign must be text"),
    ],
)
def test_bad_captures_say_why(capture, told):
    with pytest.raises(ConfigurationError) as caught:
        explain_content(capture.encode())
    assert told in str(caught.value)


def test_the_first_difference():
    assert first_difference("abc", "abd") == 2
    assert first_difference("abc", "abcd") == 3
    assert first_difference("abc", "abc") is None
