"""The types a caller sees; only type-checked, never run."""

from typing import assert_type

from linksfield_async.named import AsyncVshop, BlockingVshop
from linksfield_async.operations import AutoRenewal, CardVerification, ServicePlan


async def awaited(vshop: AsyncVshop) -> None:
    assert_type(await vshop.verify_card(iccid="1"), CardVerification)
    assert_type(await vshop.list_plans(iccid="1", area="x"), tuple[ServicePlan, ...])
    assert_type(await vshop.get_auto_renewal(iccid="1"), AutoRenewal | None)
    assert_type(await vshop.cancel_auto_renewal(iccid="1", order_no="1", pay_id="1"), None)
    await vshop.verify_card()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await vshop.verify_card(iccid=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await vshop.verify_card("1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def blocking(vshop: BlockingVshop) -> None:
    assert_type(vshop.verify_card(iccid="1"), CardVerification)
