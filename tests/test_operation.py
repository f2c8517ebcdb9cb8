from __future__ import annotations

import pickle

import pytest

from linksfield_async import OPERATIONS, Effect
from linksfield_async.operation import (
    DOCUMENTED,
    Model,
    Operation,
    Service,
    declare,
    result_model,
    wire,
    wire_fields,
)
from linksfield_async.operations import AddSims, CardOrders, GetOrder, SingleVerify, SynOrderInfo

ICCID = "89852420180910340793"


def test_a_declaration_lacking_something_says_what() -> None:
    with pytest.raises(TypeError, match="Half must declare path, effect"):

        @declare
        class Half(Operation[None]):
            """Wrong."""

            service = Service.VSHOP


def test_a_path_starts_with_a_slash() -> None:
    with pytest.raises(TypeError, match="must start with '/'"):

        @declare
        class Wrong(Operation[None]):
            """Wrong."""

            service = Service.VSHOP
            path = "x"
            effect = Effect.READ


def test_a_placeholder_must_be_a_field() -> None:
    with pytest.raises(TypeError, match=r"names \{card\}, but no field"):

        @declare
        class Wrong(Operation[None]):
            """Wrong."""

            service = Service.VSHOP
            path = "/x/{card}"
            effect = Effect.READ


def test_the_trade_type_is_the_last_segment_unless_declared() -> None:
    assert SynOrderInfo.trade_type == "SynOrderInfo"

    @declare
    class Other(Operation[None]):
        """A trade type of its own."""

        service = Service.VSHOP
        path = "/a/b"
        effect = Effect.READ
        trade_type = "payPalPay"

    assert Other.trade_type == "payPalPay"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
def test_fields_are_keyword_only_and_frozen(operation: type[Operation[object]]) -> None:
    with pytest.raises(TypeError):
        operation("1")  # type: ignore[call-arg]
    for field in wire_fields(operation):
        assert field.wire.meaning


def test_an_operation_is_a_value() -> None:
    one = AddSims(group_id="g", iccids=[ICCID])
    assert one == AddSims(group_id="g", iccids=(ICCID,))
    assert hash(one) == hash(AddSims(group_id="g", iccids=(ICCID,)))
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.group_id = "h"  # type: ignore[misc]


def test_the_caller_s_list_may_change_afterwards() -> None:
    iccids = [ICCID]
    one = AddSims(group_id="g", iccids=iccids)
    iccids.append("x")
    assert list(one.iccids) == [ICCID]


def test_reprs_do_not_show_cards() -> None:
    assert ICCID not in repr(SingleVerify(iccid=ICCID))
    assert ICCID not in repr(AddSims(group_id="g", iccids=[ICCID]))
    assert ICCID not in repr(GetOrder(iccid=ICCID))
    assert ICCID not in repr(Model(extra={"imsi": ICCID}))


def test_the_model_inside_a_result() -> None:
    assert result_model(CardOrders) is CardOrders
    assert result_model(tuple[CardOrders, ...]) is CardOrders
    assert result_model(CardOrders | None) is CardOrders
    assert result_model(tuple[str, ...]) is None
    assert result_model(None) is None


def test_a_subclass_of_an_operation_inherits_its_result() -> None:
    @declare
    class WithChannel(SingleVerify):
        """The same, with one more parameter."""

        channel: str = wire("channel", evidence=DOCUMENTED)

    assert WithChannel.result is SingleVerify.result
    assert WithChannel.trade_type == "singleVerify"
    assert [field.wire.name for field in wire_fields(WithChannel)] == [
        "deviceCode",
        "url",
        "channel",
    ]
