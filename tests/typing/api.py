"""The types a caller sees; only type-checked, never run."""

from typing import assert_type

from linksfield_async import Client, SyncClient
from linksfield_async.blocking.checkout import BlockingCheckout
from linksfield_async.blocking.groups import BlockingGroupJob, BlockingGroups
from linksfield_async.checkout import Checkout, Conclusion, State
from linksfield_async.groups import CardChange, GroupJob, GroupReport, JobStatus, SyncReport
from linksfield_async.groups.namespace import AsyncGroups
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


async def groups_awaited(groups: AsyncGroups) -> None:
    job = await groups.add_sims(group_id="G", iccids=["1"], chunk_size=5)
    assert_type(job, GroupJob)
    assert_type(await job, GroupReport)
    assert_type(await job.wait(timeout=5), GroupReport)
    assert_type(job.status(), JobStatus)
    assert_type(job.token, str)
    async for change in job:
        assert_type(change, CardChange)
    assert_type(await groups.resume("{}"), GroupJob)
    assert_type(await groups.sync(group_id="G", iccids=["1"], dry_run=True), SyncReport)
    assert_type(await groups.list_sims(group_id="G"), tuple[str, ...])
    await groups.add_sims(group_id="G", iccids=["1"], chunk=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def groups_blocking(groups: BlockingGroups) -> None:
    job = groups.remove_sims(group_id="G", iccids=["1"], journal="run.db")
    assert_type(job, BlockingGroupJob)
    assert_type(job.wait(), GroupReport)
    assert_type(groups.sync(group_id="G", iccids=["1"]), SyncReport)
    for change in job:
        assert_type(change, CardChange)


async def checkout(client: Client) -> None:
    begun = await client.checkout.purchase(iccid="1", plan="1", periods=2, save=print)
    assert_type(begun, Checkout)
    assert_type(await begun.refresh(), State)
    assert_type(await client.checkout.reconcile(begun), Conclusion)
    await client.checkout.purchase(iccid="1", plan="1", cart="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def blocking_checkout(client: SyncClient) -> None:
    assert_type(client.checkout.load("1"), BlockingCheckout)
    assert_type(client.checkout.load("1").confirm(), State)
