"""Shop operations and their results: cards, plans, orders. Docs: Topup APIs, folder Vshop."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ..masking import mask_iccid
from ..operation import (
    ASSUMED,
    DOCUMENTED,
    SEED,
    Amount,
    AnswerShape,
    Effect,
    Model,
    Operation,
    Service,
    declare,
    wire,
)


@declare
class CardVerification(Model):
    """What a verified card answers with; that it answers with success is what counts."""

    iccid: str | None = wire(
        "deviceCode", "echo of the ICCID", evidence=ASSUMED, default=None, mask=mask_iccid
    )
    partner_code: str | None = wire(
        "partnerCode", "partner the card belongs to", evidence=ASSUMED, default=None
    )


@declare
class ServicePlan(Model):
    """A data plan that a card may buy; feeds `SingleOrder`."""

    service_plan_code: str | None = wire(
        "servicePlanCode", "code of the plan offered in the shop", evidence=ASSUMED, default=None
    )
    service_plan_show_name: str | None = wire(
        "servicePlanShowName", "display name", evidence=ASSUMED, default=None
    )
    package_code: str | None = wire(
        "packageCode", "code of the data package", evidence=ASSUMED, default=None
    )
    pay_amount: Decimal | None = wire(
        "payAmount",
        "price",
        evidence=ASSUMED,
        also_accept=("settlePrice", "price"),
        default=None,
    )
    pay_currency: str | None = wire(
        "payCurrency", "ISO 4217 code", evidence=ASSUMED, also_accept=("currency",), default=None
    )
    time: str | None = wire("time", "number of periods", evidence=ASSUMED, default=None)
    unit: str | None = wire("unit", "unit of the period", evidence=ASSUMED, default=None)
    auto_renewal: str | None = wire(
        "autoRenewal", "'1' where automatic renewal can be bought", evidence=ASSUMED, default=None
    )


@declare
class CreatedOrder(Model):
    """An order that was created and waits for its payment."""

    iccid: str = wire("deviceCode", "ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    order_no: str = wire("orderNo", "order number", evidence=DOCUMENTED)
    partner_code: str = wire("partnerCode", "partner", evidence=DOCUMENTED)
    pay_id: str = wire("payId", "payment id for the payment steps", evidence=DOCUMENTED)


@declare
class CardOrder(Model):
    """One order of a card, in use or waiting."""

    order_status: str = wire(
        "orderStatus",
        "'2' in use, '1' bought but not started (inferred: only '2' has expireDate)",
        evidence=DOCUMENTED,
    )
    service_plan_show_name: str = wire("servicePlanShowName", "plan name", evidence=DOCUMENTED)
    time: str = wire("time", "number of periods", evidence=DOCUMENTED)
    unit: str = wire("unit", "unit; '2' = month of 30 days (inferred)", evidence=DOCUMENTED)
    expire_date: date | None = wire(
        "expireDate", "yyyy-MM-dd; absent on pending entries", evidence=DOCUMENTED, default=None
    )
    remaining_days: str = wire("remainingDays", "days left", evidence=DOCUMENTED)


@declare
class CardOrders(Model):
    """The active and pending orders of a card."""

    partner_code: str = wire("partnerCode", "customer code", evidence=DOCUMENTED)
    iccid: str = wire("deviceCode", "ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    orders: tuple[CardOrder, ...] = wire(
        "orderList", "active and pending orders", evidence=DOCUMENTED
    )


@declare
class AutoRenewal(Model):
    """A card's active automatic renewal."""

    iccid: str = wire("deviceCode", "ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    order_no: str = wire("orderNo", "needed to cancel", evidence=DOCUMENTED)
    order_period: str = wire("orderPeriod", "periods", evidence=DOCUMENTED)
    package_type: str = wire("packageType", "kind of plan", evidence=DOCUMENTED)
    partner_code: str = wire("partnerCode", "partner", evidence=DOCUMENTED)
    pay_id: str = wire("payId", "needed to cancel", evidence=DOCUMENTED)
    service_plan_show_name: str = wire("servicePlanShowName", "plan name", evidence=DOCUMENTED)
    subscription_time: date | None = wire(
        "subscriptionTime", "date yyyy.MM.dd", evidence=DOCUMENTED
    )


@declare
class PaidOrder(Model):
    """The answer to an order reported as paid elsewhere; no field of it is documented."""


@declare
class SingleVerify(Operation[CardVerification]):
    """Verify a card before anything is sold for it.

    A success envelope means that the card is valid, a refusal that it is not. Nothing else
    about the answer is documented.
    """

    service = Service.VSHOP
    path = "/singleVerify"
    effect = Effect.READ
    title = "Card Login Verification"

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    url: str | None = wire(
        "url",
        "address of the calling shop's login page (meaning inferred)",
        evidence=DOCUMENTED,
        example="https://dist.linksfield.net/login",
        default=None,
    )


@declare
class SingleServicePlanPage(Operation[tuple[ServicePlan, ...]]):
    """List the data plans that a card may buy, optionally for one region.

    The answer is not documented: the list is looked for under the assumed key, else bare, else
    as the only list in `data`.
    """

    service = Service.VSHOP
    path = "/singleServicePlanPage"
    effect = Effect.READ
    title = "Get Available Data Plan Product List"
    list_key = "servicePlanList"

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    area: str | None = wire(
        "area",
        "name of a region to filter by, free text",
        evidence=DOCUMENTED,
        example="欧洲",
        default=None,
    )


@declare
class SingleOrder(Operation[CreatedOrder]):
    """Create an order that is then paid through Stripe.

    `order_no`, `pay_id` and `request_order_id` are the caller's own; in the documented sample
    `pay_id` is the partner code followed by `order_no`.
    """

    service = Service.VSHOP
    path = "/singleOrder"
    effect = Effect.ONCE
    title = "Create User Order"
    answer = AnswerShape.BARE
    answer_evidence = DOCUMENTED

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    package_code: str = wire(
        "packageCode", "data package code", evidence=DOCUMENTED, example="PACKAGE20180428000007"
    )
    service_plan_code: str = wire(
        "servicePlanCode", "shop plan code", evidence=DOCUMENTED, example="SP202111041459"
    )
    service_plan_show_name: str = wire(
        "servicePlanShowName", "plan display name", evidence=DOCUMENTED
    )
    order_period: str = wire(
        "orderPeriod", "how many periods are bought", evidence=DOCUMENTED, example="1"
    )
    pay_amount: Amount = wire(
        "payAmount", "amount, decimal string exactly as given", evidence=DOCUMENTED, example="4.99"
    )
    pay_currency: str = wire(
        "payCurrency", "currency, upper case in this service", evidence=DOCUMENTED, example="USD"
    )
    auto_renewal: str | None = wire(
        "autoRenewal",
        "'0' one-time, '1' with automatic renewal",
        evidence=DOCUMENTED,
        example="0",
        default=None,
    )
    order_no: str = wire(
        "orderNo",
        "order number minted by the caller",
        evidence=DOCUMENTED,
        example="2020061214140465562",
    )
    pay_id: str = wire(
        "payId",
        "payment id; in the sample exactly partnerCode + orderNo",
        evidence=DOCUMENTED,
        example="P0008182020061214140465562",
    )
    request_order_id: str | None = wire(
        "requestOrderId",
        "order id on the partner's side",
        evidence=DOCUMENTED,
        example="000000000001",
        default=None,
    )


@declare
class SingleQueryOrder(Operation[CardOrders]):
    """List the active and pending orders of a card."""

    service = Service.VSHOP
    path = "/singleQueryOrder"
    effect = Effect.READ
    title = "Query Active and Pending Orders"
    answer = AnswerShape.ENVELOPE
    answer_evidence = DOCUMENTED

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)


@declare
class QueryAutoRenewalRecord(Operation[AutoRenewal | None]):
    """Get the active automatic renewal of a card, or None.

    What a card without one answers is not documented: null, `{}` and `[]` are taken as None.
    """

    service = Service.VSHOP
    path = "/queryAutoRenewalRecord"
    effect = Effect.READ
    title = "Get Active Auto-Renewal"
    answer = AnswerShape.BARE
    answer_evidence = DOCUMENTED

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)


@declare
class CancelAutoRenewalRecord(Operation[None]):
    """Cancel the automatic renewal of a card; ids from `QueryAutoRenewalRecord`.

    The documented answer is `{}`; a success envelope is taken as success too.
    """

    service = Service.VSHOP
    path = "/cancelAutoRenewalRecord"
    effect = Effect.ONCE
    title = "Cancel Auto-Renewal"
    answer = AnswerShape.BARE
    answer_evidence = DOCUMENTED

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    order_no: str = wire("orderNo", "from QueryAutoRenewalRecord", evidence=DOCUMENTED)
    pay_id: str = wire("payId", "from QueryAutoRenewalRecord", evidence=DOCUMENTED)


@declare
class SynOrderInfo(Operation[PaidOrder]):
    """Report an order that was already paid at a provider of the partner's own.

    The documented refusal may come after something happened downstream and carries an
    order-like number, so a refusal does not prove that no order was made.
    """

    service = Service.VSHOP
    path = "/synPartner/SynOrderInfo"
    effect = Effect.ONCE
    title = "Create User Order (Third-Party Payment)"
    answer = AnswerShape.ENVELOPE
    refusal_is_final = False

    iccid: str = wire("deviceCode", "the SIM's ICCID", evidence=DOCUMENTED, mask=mask_iccid)
    package_code: str = wire(
        "packageCode", "data package code", evidence=SEED, example="DP20190726001274"
    )
    service_plan_code: str = wire(
        "servicePlanCode", "shop plan code", evidence=SEED, example="SP202111041459"
    )
    service_plan_show_name: str = wire(
        "servicePlanShowName", "plan display name", evidence=SEED, example="biaoqianweikong"
    )
    order_period: str = wire("orderPeriod", "periods bought", evidence=SEED, example="1")
    order_no: str = wire(
        "orderNo",
        "order number minted by the caller",
        evidence=SEED,
        example="NO2023060915590562022",
    )
    pay_id: str = wire("payId", "payment id", evidence=SEED, example="P000000002022")
    pay_amount: Amount = wire(
        "payAmount", "amount paid, decimal string", evidence=SEED, example="12.36"
    )
    pay_currency: str = wire("payCurrency", "upper case", evidence=SEED, example="GBP")
    pay_unit: Amount = wire("payUnit", "unit price, decimal string", evidence=SEED, example="12.36")
    settle_price: Amount = wire(
        "settlePrice", "settlement price, decimal string", evidence=SEED, example="12.36"
    )
    pay_account: str = wire("payAccount", "paying account or its kind", evidence=SEED, example="1")
    pay_type: str = wire("payType", "payment method code", evidence=SEED, example="3")
    pay_status: str = wire("payStatus", "'1' = paid (inferred)", evidence=SEED, example="1")
    pay_rst: str = wire("payRst", "result word", evidence=SEED, example="SUCCESS")
    pay_result_date: str = wire(
        "payResultDate", "yyyy-MM-dd HH:mm:ss", evidence=SEED, example="2022-06-07 15:10:35"
    )
    transaction_id: str = wire(
        "transactionId",
        "id at the payment provider",
        evidence=SEED,
        example="ch_3L7wXlLnVNBddzsl1phHDiSi",
    )
    auto_renewal: str | None = wire(
        "autoRenewal", "'0' / '1'", evidence=SEED, example="0", default=None
    )
    org_order_id: str | None = wire(
        "orgOrderId",
        "original order id; the sample sends an empty string",
        evidence=SEED,
        default=None,
    )
    request_order_id: str | None = wire(
        "requestOrderId",
        "partner's order id; the sample sends an empty string",
        evidence=SEED,
        default=None,
    )
