from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pytest

from linksfield_async.codec import Codec, codec_for
from linksfield_async.errors import BadAnswer, ConfigurationError
from linksfield_async.operation import (
    ASSUMED,
    DOCUMENTED,
    AnswerShape,
    Effect,
    Model,
    Operation,
    Service,
    declare,
    wire,
)
from linksfield_async.operations import (
    AddSims,
    AsyncResult,
    CancelAutoRenewalRecord,
    CardOrders,
    GetAsyncResult,
    GetOrder,
    ListGroups,
    ListGroupSims,
    QueryAutoRenewalRecord,
    SingleOrder,
    SingleQueryOrder,
    SingleServicePlanPage,
    SingleVerify,
    StripePay,
    SynOrderInfo,
)

codec = Codec()

ORDER = {
    "orderStatus": "2",
    "servicePlanShowName": "Singapore",
    "time": "1",
    "unit": "2",
    "expireDate": "2024-07-31",
    "remainingDays": "0",
}
RENEWAL = {
    "deviceCode": "89860220190905123941",
    "orderNo": "1",
    "orderPeriod": "5",
    "packageType": "5",
    "partnerCode": "P000818",
    "payId": "2",
    "servicePlanShowName": "x",
    "subscriptionTime": "2024.07.31",
}


# Writing


def test_names_are_translated_and_none_is_left_out() -> None:
    assert codec.write(SingleVerify(iccid="1")) == {"deviceCode": "1"}
    assert codec.write(AddSims(group_id="g", iccids=["1", "2"])) == {
        "group_id": "g",
        "sim_ids": ["1", "2"],
    }


def test_an_empty_text_is_kept_where_it_may_be_left_out() -> None:
    assert codec.write(SingleVerify(iccid="1", url="")) == {"deviceCode": "1", "url": ""}


@pytest.mark.parametrize("value", ["", None])
def test_a_required_field_is_never_empty(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"SingleVerify\.iccid is (empty|missing)"):
        codec.write(SingleVerify(iccid=value))


def test_a_float_amount_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"StripePay\.pay_amount: must be str or Decimal"):
        codec.write(StripePay(pay_id="1", pay_amount=4.99, pay_currency="usd"))  # type: ignore[arg-type]


def test_one_text_is_no_list_of_iccids() -> None:
    with pytest.raises(TypeError, match="list of ICCIDs"):
        AddSims(group_id="g", iccids="89852420180910340793")


def test_get_order_needs_a_key() -> None:
    with pytest.raises(ConfigurationError, match="purchase_order_id, order_id and iccid"):
        codec.write(GetOrder())


def test_assumed_names_are_replaced() -> None:
    other = codec_for((("AddSims.iccids", "iccidList"), ("AsyncResult.status", "state")))
    assert other.write(AddSims(group_id="g", iccids=["1"]))["iccidList"] == ["1"]
    assert other.read(GetAsyncResult, {"state": "done"}).status == "done"
    assert codec_for(()) is codec_for(())


# Reading


def test_documented_fields_are_read_strictly() -> None:
    data = {"partnerCode": "P1", "deviceCode": "1", "orderList": [ORDER]}
    read = codec.read(SingleQueryOrder, data)
    assert isinstance(read, CardOrders)
    assert read.orders[0].expire_date == date(2024, 7, 31)
    for name in data:
        with pytest.raises(BadAnswer, match=f"{name}: is missing"):
            codec.read(SingleQueryOrder, {k: v for k, v in data.items() if k != name})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"remainingDays": None}, r"orderList\[1\]\.remainingDays: text expected, found null"),
        ({"remainingDays": ["0"]}, r"orderList\[1\]\.remainingDays: text expected, found a list"),
        ({"unit": True}, r"orderList\[1\]\.unit: text expected, found a boolean"),
    ],
)
def test_a_bad_entry_is_named_by_its_index(change: dict[str, Any], told: str) -> None:
    data = {"partnerCode": "P1", "deviceCode": "1", "orderList": [ORDER, ORDER | change]}
    with pytest.raises(BadAnswer, match=told):
        codec.read(SingleQueryOrder, data)


@pytest.mark.parametrize("text", ["yyyy.MM.dd", "0000-00-00", "", "2024-02-31"])
def test_a_date_that_is_none_keeps_its_text(text: str) -> None:
    read = codec.read(QueryAutoRenewalRecord, RENEWAL | {"subscriptionTime": text})
    assert read is not None
    assert read.subscription_time is None
    assert read.extra == {"subscriptionTime": text}


def test_unknown_fields_are_kept() -> None:
    read = codec.read(SingleVerify, {"deviceCode": "1", "imsi": "454", "nested": {"a": [1]}})
    assert read.iccid == "1"
    assert read.extra == {"imsi": "454", "nested": {"a": [1]}}


def test_an_assumed_field_never_fails_the_decode() -> None:
    read = codec.read(SingleVerify, {"deviceCode": {"not": "text"}})
    assert read.iccid is None
    assert read.extra == {"deviceCode": {"not": "text"}}
    (plan,) = codec.read(SingleServicePlanPage, [{"payAmount": "NaN", "time": None}])
    assert plan.pay_amount is None
    assert plan.time is None
    assert plan.extra == {"payAmount": "NaN"}


def test_an_assumed_field_that_is_needed_must_be_there() -> None:
    with pytest.raises(BadAnswer, match="request_id: is missing"):
        codec.read(AddSims, {"requestid": "1"})
    assert (
        codec.read(AddSims, {"request_id": 89852420180910340793}).request_id
        == "89852420180910340793"
    )


def test_spellings_accepted_too() -> None:
    read = codec.read(StripePay, {"clientSecret": "pi_1_secret_2"})
    assert read.client_secret == "pi_1_secret_2"
    assert read.extra == {}
    both = codec.read(StripePay, {"client_secret": "a", "clientSecret": "b"})
    assert both.client_secret == "a"
    assert both.extra == {"clientSecret": "b"}


@pytest.mark.parametrize(
    "data",
    [
        [{"packageCode": "P"}],
        {"servicePlanList": [{"packageCode": "P"}]},
        {"total": 1, "anything": [{"packageCode": "P"}]},
        {"servicePlanList": [{"packageCode": "P"}], "areas": ["x"]},
    ],
)
def test_a_list_is_found(data: Any) -> None:
    (plan,) = codec.read(SingleServicePlanPage, data)
    assert plan.package_code == "P"


@pytest.mark.parametrize(
    "data", [None, {}, {"a": [], "b": []}, {"servicePlanList": None, "b": []}, "x", 3, {"total": 0}]
)
def test_no_list_is_not_an_empty_list(data: Any) -> None:
    with pytest.raises(BadAnswer, match="no list found"):
        codec.read(SingleServicePlanPage, data)


def test_group_members_are_texts_or_objects() -> None:
    data = {"sim_ids": ["1", {"sim_id": "2", "state": "x"}, 89852420180910340793]}
    assert codec.read(ListGroupSims, data) == ("1", "2", "89852420180910340793")
    with pytest.raises(BadAnswer, match=r"sim_ids\[1\]: text expected, found null"):
        codec.read(ListGroupSims, {"sim_ids": ["1", {"iccid": "2"}]})


def test_models_inside_models() -> None:
    (group,) = codec.read(
        ListGroups, {"groups": [{"groupId": "g", "bundles": [{"bundle_id": "b"}]}]}
    )
    assert group.group_id == "g"
    assert group.bundles[0].bundle_id == "b"
    read = codec.read(GetAsyncResult, {"status": "partial", "results": [{"sim_id": "1"}]})
    assert isinstance(read, AsyncResult)
    assert read.results[0].iccid == "1"


@pytest.mark.parametrize("data", [None, {}, []])
def test_nothing_is_none_where_none_is_a_result(data: Any) -> None:
    assert codec.read(QueryAutoRenewalRecord, data) is None
    assert codec.read(GetOrder, data) is None
    if data != []:
        codec.read(CancelAutoRenewalRecord, data)


def test_one_order_in_a_list_is_that_order() -> None:
    order = codec.read(GetOrder, [{"orderNo": "1", "payAmount": "12.30"}])
    assert order is not None
    assert (order.order_id, order.pay_amount) == ("1", Decimal("12.30"))
    with pytest.raises(BadAnswer, match="an object expected, found a list"):
        codec.read(GetOrder, [{"orderNo": "1"}, {"orderNo": "2"}])


def test_something_is_not_nothing() -> None:
    with pytest.raises(BadAnswer, match="nothing expected, found an object"):
        codec.read(CancelAutoRenewalRecord, {"message": "no"})


@pytest.mark.parametrize("data", ["QY-001", 5, [], True])
def test_an_undocumented_success_keeps_whatever_it_carries(data: Any) -> None:
    assert codec.read(SynOrderInfo, data).extra == {"data": data}
    assert codec.read(SynOrderInfo, None).extra == {}


def test_a_documented_success_must_be_what_is_documented() -> None:
    with pytest.raises(BadAnswer, match="an object expected"):
        codec.read(SingleOrder, "QY-001")


# Bare answers


@pytest.mark.parametrize(
    ("operation", "bare", "recognised"),
    [
        (SingleVerify, {"deviceCode": "1"}, True),
        (SingleVerify, {"error": "no"}, False),
        (SingleVerify, {}, False),
        (SingleVerify, [], False),
        (SynOrderInfo, {"orderNo": "1"}, False),
        (ListGroups, [], True),
        (ListGroups, {"groups": []}, True),
        (ListGroups, {"x": 1}, False),
        (GetOrder, {"orderId": "1"}, True),
        (GetOrder, {}, False),
        (CancelAutoRenewalRecord, {}, True),
    ],
)
def test_what_counts_as_an_answer_without_an_envelope(
    operation: Any, bare: Any, recognised: bool
) -> None:
    assert codec.recognises(operation, bare) is recognised


# A user's own operations


@declare
class Ping(Operation[dict[str, Any]]):
    """A user's own operation with a plain result."""

    service = Service.TOPUP
    path = "/ping"
    effect = Effect.READ
    answer = AnswerShape.BARE

    count: int = wire("count", evidence=DOCUMENTED)
    flags: dict[str, Any] | None = wire("flags", evidence=ASSUMED, default=None)


def test_a_plain_result_type_works() -> None:
    assert codec.write(Ping(count=3, flags={"a": True})) == {"count": 3, "flags": {"a": True}}
    assert codec.read(Ping, {"pong": 1}) == {"pong": 1}
    with pytest.raises(BadAnswer, match="Ping"):
        codec.read(Ping, 5)


def test_an_operation_of_plain_attrs_works_too() -> None:
    @attrs.frozen(kw_only=True)
    class Mine(Operation[Model]):
        """Declared with attrs alone."""

        service = Service.VSHOP
        path = "/mine"
        effect = Effect.ONCE

        iccid: str = wire("deviceCode", evidence=DOCUMENTED)

    assert codec.write(Mine(iccid="1")) == {"deviceCode": "1"}
    assert codec.read(Mine, {"x": 1}).extra == {"x": 1}


def test_an_operation_may_not_declare_the_sign_or_a_name_twice() -> None:
    @declare
    class Signed(Operation[None]):
        """Wrong."""

        service = Service.VSHOP
        path = "/x"
        effect = Effect.READ

        sign: str = wire("sign", evidence=DOCUMENTED)

    with pytest.raises(ConfigurationError, match="none may be 'sign'"):
        codec.write(Signed(sign="x"))


def test_types_must_be_there_at_run_time() -> None:
    @declare
    class Unknown(Operation[None]):
        """Wrong."""

        service = Service.VSHOP
        path = "/x"
        effect = Effect.READ

        when: Missing = wire("when", evidence=DOCUMENTED)  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigurationError, match="Missing"):
        codec.write(Unknown(when=1))


def test_what_is_wrong_with_a_result_type_shows_before_anything_is_sent() -> None:
    @declare
    class Odd(Model):
        """Wrong."""

        when: Missing = wire("when", evidence=DOCUMENTED)  # type: ignore[name-defined]  # noqa: F821

    @declare
    class AskOdd(Operation[Odd]):
        """Wrong."""

        service = Service.VSHOP
        path = "/odd"
        effect = Effect.ONCE

    with pytest.raises(ConfigurationError, match="Missing"):
        Codec().write(AskOdd())


def test_a_type_that_nothing_can_read_shows_before_anything_is_sent() -> None:
    @declare
    class Odd(Model):
        """Wrong."""

        thing: object = wire("thing", evidence=DOCUMENTED)

    @declare
    class AskOdd(Operation[Odd]):
        """Wrong."""

        service = Service.VSHOP
        path = "/odd"
        effect = Effect.ONCE

    with pytest.raises(ConfigurationError, match="AskOdd: Unsupported type"):
        Codec().write(AskOdd())
