from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import reference_sign

from linksfield_async import Account, Endpoints
from linksfield_async.codec import codec_for
from linksfield_async.errors import (
    BadAnswer,
    ConfigurationError,
    InvalidInput,
    LinksfieldError,
    MismatchedAnswer,
    OutcomeUnknown,
    Refused,
    Throttled,
    UnexpectedRedirect,
)
from linksfield_async.operation import (
    DOCUMENTED,
    Effect,
    Operation,
    Service,
    declare,
    path_placeholders,
    wire,
    wire_fields,
)
from linksfield_async.operations import (
    OPERATIONS,
    AddSims,
    CancelAutoRenewalRecord,
    GetAsyncResult,
    GetOrder,
    ListGroups,
    ListGroupSims,
    QueryAutoRenewalRecord,
    RemoveSims,
    ResultConfirm,
    ResultQuery,
    SingleOrder,
    SingleQueryOrder,
    SingleServicePlanPage,
    SingleVerify,
    StripeSubDirectly,
    SynOrderInfo,
)
from linksfield_async.protocol import Request, Response, build, decode
from linksfield_async.signing import canonical_bytes, digest
from linksfield_async.values import write_amount, write_texts, writer_for

ACCOUNT = Account("P000270", endpoints=Endpoints.at("http://127.0.0.1:1"))
CONTRACT = json.loads((Path(__file__).parent / "contract" / "operations.json").read_text())
CLASSES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        SingleVerify,
        SingleServicePlanPage,
        SingleOrder,
        SingleQueryOrder,
        QueryAutoRenewalRecord,
        CancelAutoRenewalRecord,
        SynOrderInfo,
        StripeSubDirectly,
    )
}
VERIFY = SingleVerify(iccid="89852420180910340793")


# Requests: the documented samples


@pytest.mark.parametrize("name", ["SingleVerify", "SingleServicePlanPage", "SynOrderInfo"])
def test_a_genuine_sample_request_is_built_again(name: str) -> None:
    """From the parameters of the page to the page's own body, sign included."""
    sample = next(o for o in CONTRACT["operations"] if o["name"] == name)["samples"]["request"]
    kind = CLASSES[name]
    operation = kind(
        **{f.python: sample[f.wire.name] for f in wire_fields(kind) if f.wire.name in sample}
    )
    account = Account(
        sample["partnerCode"],
        language_code=sample["languageCode"],
        mark=sample["mark"],
        terminal=sample["terminal"],
    )
    request = build(operation, account, int(sample["tradeTime"]))
    assert json.loads(request.body) == sample
    assert request.body.endswith(f',"sign":"{sample["sign"]}"}}'.encode())


ANSWERS = {
    entry["name"]: entry["samples"]["response"]
    for entry in CONTRACT["operations"]
    if "response" in entry["samples"]
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_documented_sample_answer_is_read(name: str) -> None:
    sample = ANSWERS[name]
    kind = CLASSES[name]
    operation = object.__new__(kind)
    result, raw = decode(operation, ACCOUNT, Response(200, json.dumps(sample).encode()))
    assert raw == sample
    if result is None:
        return
    inner = sample.get("data", sample)
    for field in wire_fields(type(result)):
        value = getattr(result, field.python)
        if isinstance(value, str):
            assert value == inner[field.wire.name]


def test_the_documented_failure() -> None:
    sample = next(o for o in CONTRACT["operations"] if o["name"] == "SynOrderInfo")["samples"][
        "failure"
    ]
    with pytest.raises(Refused, match="fail: 调用订购接口失败") as caught:
        decode(paid_order(), ACCOUNT, Response(sample["http"], json.dumps(sample["body"]).encode()))
    error = caught.value
    assert error.data == sample["body"]["data"]
    assert error.code == "F"
    assert error.status == 400
    assert error.needs_reconciliation
    assert error.carried_out is None


def paid_order() -> SynOrderInfo:
    values: dict[str, Any] = {f.python: "1" for f in wire_fields(SynOrderInfo) if f.required}
    return SynOrderInfo(**values)


# Requests: where each parameter goes


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=True))


def test_a_get_puts_everything_into_the_query() -> None:
    request = build(GetOrder(iccid="1", order_id="a b&c+中/?"), ACCOUNT, 1)
    assert request.method == "GET"
    assert request.body == b""
    params = query_of(request)
    assert params == {
        "version": "3.0",
        "partnerCode": "P000270",
        "order_id": "a b&c+中/?",
        "sim_id": "1",
        "sign": reference_sign(
            {"version": "3.0", "partnerCode": "P000270", "order_id": "a b&c+中/?", "sim_id": "1"}
        ),
    }


def test_a_delete_puts_everything_into_the_body() -> None:
    request = build(RemoveSims(group_id="G 1", iccids=["2", "1"]), ACCOUNT, 1)
    assert request.method == "DELETE"
    assert request.url == "http://127.0.0.1:1/topup/mall/bundle-groups/G%201/sims"
    body = json.loads(request.body)
    assert "group_id" not in body
    assert body["sim_ids"] == ["2", "1"]
    # Signed under its own name, unquoted, beside what is in the body.
    assert body["sign"] == reference_sign(body | {"group_id": "G 1"})


@given(st.dictionaries(st.sampled_from(["url"]), st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_bytes_signed_are_the_bytes_sent(more: dict[str, str]) -> None:
    request = build(SingleVerify(iccid="1", **more), ACCOUNT, 1)
    body = json.loads(request.body)
    sign = body.pop("sign")
    assert sign == reference_sign(body)
    assert (
        request.body
        == json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()[:-1]
        + f',"sign":"{sign}"}}'.encode()
    )


@given(
    st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="/\\"), min_size=1
    )
)
def test_a_path_parameter_stays_in_its_segment(group_id: str) -> None:
    if not group_id.strip("."):
        return
    request = build(ListGroupSims(group_id=group_id), ACCOUNT, 1)
    path = urlsplit(request.url).path
    before, segment, after = "/topup/mall/bundle-groups/", path.split("/")[4], "/sims"
    assert path == before + segment + after
    assert unquote(segment) == group_id
    params = query_of(request)
    sign = params.pop("sign")
    assert sign == reference_sign(params | {"group_id": group_id})


@pytest.mark.parametrize(
    "group_id",
    [
        "",
        ".",
        "..",
        "...",
        "../../x",
        "a/b",
        "a\\b",
        "a\r\nX: y",
        "a\x00",
        "中",
        "\x7f",
        "x" * 10_000,
        5,
        "\ud800",
    ],
)
def test_a_path_parameter_that_could_leave_its_segment_is_refused(group_id: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"ListGroupSims\.group_id"):
        build(ListGroupSims(group_id=group_id), ACCOUNT, 1)


@pytest.mark.parametrize("group_id", ["a%2Fb", "?x=1", "#", "a b", "%2e%2e", "a;b", "a@b:c"])
def test_a_path_parameter_is_quoted(group_id: str) -> None:
    path = urlsplit(build(ListGroupSims(group_id=group_id), ACCOUNT, 1).url).path
    assert path.count("/") == 5
    assert unquote(path.split("/")[4]) == group_id


def test_bundles_stands_where_a_group_id_may_stand() -> None:
    assert "/mall/bundle-groups/bundles?" in build(ListGroups(), ACCOUNT, 1).url


def test_the_trade_parameters_are_not_sent_to_topup() -> None:
    params = query_of(build(ListGroups(), ACCOUNT, 1))
    assert params.keys() == {"version", "partnerCode", "sign"}
    body = json.loads(build(ResultConfirm(pay_id="1"), ACCOUNT, 123).body)
    assert body.keys() == {"version", "partnerCode", "sign", "tradeTime", "tradeType", "payId"}
    assert (body["tradeTime"], body["tradeType"]) == ("123", "resultConfirm")


def test_shop_parameters_can_be_left_out() -> None:
    account = Account("P1", language_code=None, mark=None, terminal=None)
    body = json.loads(build(VERIFY, account, 1).body)
    assert body.keys() == {"version", "partnerCode", "sign", "tradeTime", "tradeType", "deviceCode"}


def test_a_lone_surrogate_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="lone surrogate"):
        build(SingleVerify(iccid="1\udc80"), ACCOUNT, 1)


# Requests: what is prepared is what is written anew


class Text(str):
    """Text of a class of its own."""


TEXTS = st.text() | st.text('"\\/\x00\x1f\x7f\u2028é欧😀\ud800') | st.builds(Text, st.text())
AMOUNTS = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False) | st.just("4.99")
SAFE = st.text("abcXYZ019-_.~% ", min_size=1).filter(lambda text: text.strip("."))
ACCOUNTS = st.builds(
    Account,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    endpoints=st.just(ACCOUNT.endpoints),
    language_code=st.sampled_from([None, "", "1", '"']),
    mark=st.sampled_from([None, "0"]),
    terminal=st.sampled_from([None, "0", "/"]),
)


def fields_of(kind: type[Operation[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    given_: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in attrs.fields(attrs.resolve_types(kind)):
        value: st.SearchStrategy[Any] = TEXTS
        if writer_for(field.type) is write_amount:
            value = AMOUNTS
        elif writer_for(field.type) is write_texts:
            value = st.lists(TEXTS, max_size=3)
        elif f"{{{field.name}}}" in kind.path:
            value = SAFE
        if field.default is attrs.NOTHING:
            given_[field.name] = value
        else:
            optional[field.name] = value | st.none()
    return st.fixed_dictionaries(given_, optional=optional)


def written_anew(operation: Operation[Any], account: Account, now_ms: int) -> dict[str, Any]:
    """All parameters of a request, from the rules alone."""
    kind = type(operation)
    params: dict[str, Any] = {"version": "3.0", "partnerCode": account.partner_code}
    if kind.service is Service.VSHOP:
        shop = account.language_code, account.mark, account.terminal
        params |= dict(zip(("languageCode", "mark", "terminal"), shop, strict=True))
    if kind.service is not Service.TOPUP:
        params |= {"tradeTime": str(now_ms), "tradeType": kind.trade_type}
    params |= codec_for(account.wire_names).write(operation)
    return {name: value for name, value in params.items() if value is not None}


def check_against_what_is_written_anew(
    operation: Operation[Any], account: Account, now_ms: int
) -> None:
    kind = type(operation)
    try:
        params = written_anew(operation, account, now_ms)
        signed = canonical_bytes(params)
    except InvalidInput:
        # Of several values that cannot be sent, either may be the one that is named.
        with pytest.raises(InvalidInput):
            build(operation, account, now_ms)
        return
    request = build(operation, account, now_ms)
    names = path_placeholders(kind.path)
    rest = {name: value for name, value in params.items() if name not in names}
    if kind.method == "GET":
        assert query_of(request) == rest | {"sign": digest(signed)}
        return
    sent = canonical_bytes(rest)
    assert request.body == sent[:-1] + b',"sign":"' + digest(signed).encode() + b'"}'


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(st.data())
def test_any_values_of_any_operation_are_written_as_the_rule_says(
    kind: type[Operation[Any]], data: st.DataObject
) -> None:
    operation = kind(**data.draw(fields_of(kind)))
    account = data.draw(ACCOUNTS)
    check_against_what_is_written_anew(operation, account, data.draw(st.integers(0, 10**14)))


@declare
class AskAnything(Operation[None]):
    service = Service.PAYMENT
    path = "/anything"
    effect = Effect.READ

    late: Any = wire("zz", evidence=DOCUMENTED)
    early: Any = wire("Aa", evidence=DOCUMENTED, default=None)
    quoted: Sequence[Any] | None = wire('"/é', evidence=DOCUMENTED, default=None)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.sampled_from([Effect.READ, b"x", ""])
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(TEXTS | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES, VALUES, VALUES)
def test_any_value_of_an_own_operation_is_written_as_the_rule_says(
    late: Any, early: Any, quoted: Any
) -> None:
    operation = AskAnything(late=late, early=early, quoted=quoted)
    check_against_what_is_written_anew(operation, ACCOUNT, 1)


def test_amounts_and_lists_are_written_as_given() -> None:
    request = build(
        AskAnything(late=[True, None, {"b": 1, "a": ["é/"]}], early=[]), ACCOUNT, 1645683857572
    )
    assert request.body.startswith(b'{"Aa":[],"partnerCode":"P000270","tradeTime":"1645683857572",')
    assert '"zz":[true,null,{"a":["é/"],"b":1}],"sign":"' in request.body.decode()
    with pytest.raises(InvalidInput, match="zz: Decimal cannot be signed"):
        build(AskAnything(late=Decimal(1)), ACCOUNT, 1)
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        build(AskAnything(late=10**5000), ACCOUNT, 1)


def test_an_operation_may_leave_out_what_it_cannot_replace() -> None:
    @declare
    class Reserved(Operation[None]):
        service = Service.PAYMENT
        path = "/x"
        effect = Effect.READ

        version: str | None = wire("version", evidence=DOCUMENTED, default=None)
        when: str | None = wire("tradeTime", evidence=DOCUMENTED, default=None)

    check_against_what_is_written_anew(Reserved(), ACCOUNT, 1)
    assert b'"tradeTime":"1","tradeType":"x","version":"3.0"' in build(Reserved(), ACCOUNT, 1).body
    for value in ("2", ""):
        with pytest.raises(InvalidInput, match="version is a parameter of every request"):
            build(Reserved(version=value), ACCOUNT, 1)
        with pytest.raises(InvalidInput, match="tradeTime is a parameter of every request"):
            build(Reserved(when=value), ACCOUNT, 1)


def test_an_operation_cannot_replace_a_shared_parameter() -> None:
    @declare
    class Wrong(Operation[None]):
        """Wrong."""

        service = Service.VSHOP
        path = "/x"
        effect = Effect.READ

        partner: str = wire("partnerCode", evidence=DOCUMENTED)

    with pytest.raises(ConfigurationError, match="partnerCode is a parameter of every request"):
        build(Wrong(partner="x"), ACCOUNT, 1)


def test_a_list_does_not_go_into_a_query() -> None:
    @declare
    class Wrong(Operation[None]):
        """Wrong."""

        service = Service.TOPUP
        method = "GET"
        path = "/x"
        effect = Effect.READ

        iccids: list[str] = wire("sim_ids", evidence=DOCUMENTED)

    with pytest.raises(ConfigurationError, match="must be text"):
        build(Wrong(iccids=["1"]), ACCOUNT, 1)


def test_a_request_does_not_show_its_secrets() -> None:
    for operation in (VERIFY, GetOrder(iccid=VERIFY.iccid)):
        shown = repr(build(operation, ACCOUNT, 1))
        assert VERIFY.iccid not in shown
        assert "sign=" not in shown or "sign=***" in shown


# Answers


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Response(status, content, headers or {})


def read(operation: Operation[Any], response: Response) -> Any:
    return decode(operation, ACCOUNT, response)[0]


S = {"operateCode": "S", "message": "success", "data": {"deviceCode": VERIFY.iccid}}
F = {"operateCode": "F", "message": "no such card", "data": None}
BARE = {"deviceCode": VERIFY.iccid}
HTML = b"<html>login</html>"


@pytest.mark.parametrize(
    ("body", "status", "headers", "expected"),
    [
        (S, 200, {}, None),
        (S, 201, {}, None),
        (S, 302, {}, UnexpectedRedirect),
        (S, 400, {}, BadAnswer),
        (S, 500, {}, BadAnswer),
        (F, 200, {}, Refused),
        (F, 400, {}, Refused),
        (F, 500, {}, Refused),
        (F, 302, {}, UnexpectedRedirect),
        (F, 429, {}, Throttled),
        (F, 503, {"Retry-After": "1"}, Throttled),
        (F, 503, {}, Refused),
        (BARE, 200, {}, None),
        (BARE, 400, {}, Refused),
        (BARE, 500, {}, OutcomeUnknown),
        ({"x": 1}, 200, {}, BadAnswer),
        (HTML, 200, {}, BadAnswer),
        (HTML, 301, {}, UnexpectedRedirect),
        *((HTML, status, {}, Refused) for status in (400, 401, 403, 404, 405, 409, 413, 415, 422)),
        *(
            (HTML, status, {}, OutcomeUnknown)
            for status in (408, 425, 499, 500, 501, 502, 503, 504, 520, 599)
        ),
        (HTML, 429, {}, Throttled),
        (HTML, 503, {"Retry-After": "2"}, Throttled),
        *((HTML, status, {}, BadAnswer) for status in (199, 600, 999)),
    ],
)
def test_the_matrix_of_envelope_and_status(
    body: Any, status: int, headers: dict[str, str], expected: type[LinksfieldError] | None
) -> None:
    if expected is None:
        assert read(VERIFY, answer(body, status, headers)).iccid == VERIFY.iccid
        return
    with pytest.raises(LinksfieldError) as caught:
        read(VERIFY, answer(body, status, headers))
    assert type(caught.value) is expected
    assert caught.value.status == status


@pytest.mark.parametrize(
    "code", [None, "s", " S", "S ", 0, 1, True, "SUCCESS", "", ["S"], {"S": 1}, "x" * 10_000]
)
def test_only_exactly_s_is_success(code: Any) -> None:
    with pytest.raises(BadAnswer, match="operateCode") as caught:
        read(VERIFY, answer({"operateCode": code, "data": {"deviceCode": "1"}}))
    assert caught.value.data["operateCode"] == code
    assert caught.value.carried_out is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"0",
        b"{}",
        b'{"a":1} trailing',
        b"{}{}",
        b'{"operateCode":"S"',
        b"NaN",
        b'{"operateCode":"S","data":{"deviceCode":NaN}}',
        b"\xff\xfe{\x00}\x00",
        '{"operateCode":"S","message":"成功"}'.encode("gbk"),
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_answer_is_told_in_one_line(body: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        read(VERIFY, answer(body))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


def test_a_byte_order_mark_is_tolerated() -> None:
    assert read(VERIFY, answer(b"\xef\xbb\xbf" + json.dumps(S).encode())).iccid == VERIFY.iccid


def test_long_numbers_keep_every_digit() -> None:
    body = b'{"operateCode":"S","data":{"deviceCode":89852420180910340793,"n":12.30,"m":1e400}}'
    result, raw = decode(VERIFY, ACCOUNT, answer(body))
    assert result.iccid == "89852420180910340793"
    assert str(result.extra["n"]) == "12.30"
    assert str(raw["data"]["m"]) == "1E+400"


def test_a_number_of_5000_digits_is_no_crash() -> None:
    with pytest.raises(BadAnswer):
        read(VERIFY, answer(b'{"operateCode":"S","data":' + b"9" * 5000 + b"}"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"message": "inner", "data": "QY-1"}, "no such card: inner"),
        (None, "no such card"),
        ([1], "no such card"),
    ],
)
def test_a_refusal_keeps_its_data(data: Any, told: str) -> None:
    with pytest.raises(Refused) as caught:
        read(VERIFY, answer(F | {"data": data}))
    assert caught.value.data == data
    assert str(caught.value) == f"SingleVerify refused: {told}"
    assert caught.value.carried_out is False


def test_a_hostile_message_is_one_short_line() -> None:
    with pytest.raises(Refused) as caught:
        read(VERIFY, answer(F | {"message": "a\r\nFAKE LOG \x1b[31m" + "x" * 100_000}))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) == 200


def test_a_refusal_without_a_message() -> None:
    with pytest.raises(Refused, match="no reason given"):
        read(VERIFY, answer({"operateCode": "F"}))


# Bare answers, and the sister product's envelope


def test_nothing_bare_proves_that_an_order_was_placed() -> None:
    for body in ({}, {"orderNo": "1"}, {"message": "ok"}):
        with pytest.raises(BadAnswer):
            read(paid_order(), answer(body))


def test_an_empty_bare_answer_counts_only_where_it_is_documented() -> None:
    cancel = CancelAutoRenewalRecord(iccid="1", order_no="1", pay_id="1")
    assert read(cancel, answer({})) is None
    assert read(QueryAutoRenewalRecord(iccid="1"), answer({})) is None
    with pytest.raises(BadAnswer):
        read(GetOrder(iccid="1"), answer({}))
    with pytest.raises(BadAnswer):
        read(cancel, answer({"message": "not yours"}))


def test_a_bare_list_is_a_list() -> None:
    assert read(ListGroupSims(group_id="g"), answer(["1", "2"])) == ("1", "2")


SISTER = {"data": {"status": "success"}, "status": {"code": "CB-00-0000", "message": "ok"}}


def test_the_sister_envelope_counts_for_topup() -> None:
    assert read(GetAsyncResult(request_id="1"), answer(SISTER)).status == "success"
    failed = SISTER | {"status": {"code": "CB-01-0001", "message": "no such id"}}
    with pytest.raises(Refused, match="no such id") as caught:
        read(GetAsyncResult(request_id="1"), answer(failed))
    assert caught.value.code == "CB-01-0001"
    with pytest.raises(BadAnswer, match="HTTP 500"):
        read(GetAsyncResult(request_id="1"), answer(SISTER, 500))


def test_the_sister_envelope_counts_for_nothing_else() -> None:
    with pytest.raises(BadAnswer):
        read(VERIFY, answer(SISTER))


def test_a_status_text_is_no_envelope() -> None:
    assert read(GetAsyncResult(request_id="1"), answer({"status": "pending"})).status == "pending"


def test_replaced_names_reach_request_and_answer() -> None:
    account = Account(
        "P1",
        wire_names={
            "AddSims.iccids": "iccidList",
            "AddSims.group_id": "gid",
            "Accepted.request_id": "jobId",
        },
    )
    operation = AddSims(group_id="g", iccids=["1"])
    request = build(operation, account, 1)
    body = json.loads(request.body)
    assert body["iccidList"] == ["1"]
    assert "/bundle-groups/g/sims" in request.url
    assert body["sign"] == reference_sign(body | {"gid": "g"})
    result, _ = decode(operation, account, answer({"operateCode": "S", "data": {"jobId": "7"}}))
    assert result.request_id == "7"


# An error told with HTTP 200 and no envelope is no result


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (ListGroupSims(group_id="g"), {"code": "500", "errors": ["group does not exist"]}),
        (ListGroupSims(group_id="g"), {"problems": ["group does not exist"]}),
        (SingleServicePlanPage(iccid="1"), {"success": False, "errors": [{"message": "x"}]}),
        (VERIFY, BARE | {"code": "404", "message": "card not found"}),
        (GetOrder(iccid="1"), {"status": 500, "error": "Internal Server Error"}),
        (GetAsyncResult(request_id="1"), {"status": 404, "error": "Not Found", "path": "/x"}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_error_without_an_envelope_is_no_result(operation: Any, body: Any) -> None:
    with pytest.raises(BadAnswer):
        read(operation, answer(body))


# Answers about something else


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        (VERIFY, {"deviceCode": "89852420180910340794"}),
        (ResultQuery(pay_id="A"), {"payId": "B", "payStatus": "1"}),
        (GetAsyncResult(request_id="1"), {"request_id": "2", "status": "success"}),
        (GetOrder(order_id="1", iccid="9"), {"order_id": "2"}),
        (GetOrder(purchase_order_id="1"), {"purchase_order_id": "2"}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a16_an_answer_about_something_else_is_mismatched(operation: Any, data: Any) -> None:
    with pytest.raises(MismatchedAnswer, match="another") as caught:
        read(operation, answer({"operateCode": "S", "data": data}))
    assert caught.value.carried_out is None
    assert caught.value.data["data"] == data
    assert "89852420180910340794" not in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        (SingleVerify(iccid="8985242018091034079F"), {"deviceCode": "8985242018091034079"}),
        (SingleVerify(iccid="8985242018091034079"), {"deviceCode": "89852420180910340793"}),
        (VERIFY, {"deviceCode": ""}),
        (GetOrder(order_id="1", iccid="9"), {"order_id": "1", "sim_id": "8"}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_card_in_two_spellings_is_one_card(operation: Any, data: Any) -> None:
    read(operation, answer({"operateCode": "S", "data": data}))


def test_a09_a_number_beyond_all_bounds_is_a_bad_answer() -> None:
    body = b'{"operateCode":"S","data":{"n":1e99999999999999999999}}'
    with pytest.raises(BadAnswer, match="beyond all bounds"):
        read(VERIFY, answer(body))


@pytest.mark.parametrize("name", ["tradeTime", "tradeType"])
def test_the_trade_parameters_cannot_be_replaced_either(name: str) -> None:
    @declare
    class Wrong(Operation[None]):
        """Wrong."""

        service = Service.VSHOP
        path = "/x"
        effect = Effect.READ

        own: str = wire(name, evidence=DOCUMENTED)

    with pytest.raises(ConfigurationError, match=f"{name} is a parameter of every request"):
        build(Wrong(own="x"), ACCOUNT, 1)


@pytest.mark.parametrize("space", [" ", "\u00a0", "\n", "%20"])
def test_a_body_that_is_no_json_is_shown_masked(space: str) -> None:
    body = f"<p>card{space}{VERIFY.iccid}, payer.name@example.com" + "x" * 100
    with pytest.raises(BadAnswer) as caught:
        read(VERIFY, answer(body.encode()))
    assert "<p>card" in str(caught.value)
    assert VERIFY.iccid[:12] not in str(caught.value)
    assert "payer.name" not in str(caught.value)


def test_no_repr_shows_a_card() -> None:
    spaced = GetOrder(iccid=f" {VERIFY.iccid}")
    assert VERIFY.iccid not in repr(build(spaced, ACCOUNT, 1))
