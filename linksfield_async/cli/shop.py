"""`plans`, `orders` and `order`: what a card can buy and what it bought."""

from __future__ import annotations

import click

from ..operations import GetOrder, SingleQueryOrder, SingleServicePlanPage
from .output import facts_of, show_facts, show_json, show_table
from .session import ICCID, Session, json_option, pass_session


@click.command()
@click.argument("iccid", type=ICCID)
@click.option("--area", help="Only plans of this region.")
@json_option
@pass_session
def plans(session: Session, iccid: str, area: str | None, as_json: bool) -> None:
    """List the data plans that a card may buy."""
    found = session.send(SingleServicePlanPage(iccid=iccid, area=area))
    if as_json:
        show_json(found)
    elif not found:
        click.echo("no plans for this card" + (" in this region" if area else ""))
    else:
        show_table(
            ("service plan", "package", "name", "price", "currency", "time", "unit", "renews"),
            (
                (
                    plan.service_plan_code,
                    plan.package_code,
                    plan.service_plan_show_name,
                    plan.pay_amount,
                    plan.pay_currency,
                    plan.time,
                    plan.unit,
                    plan.auto_renewal,
                )
                for plan in found
            ),
        )


@click.command()
@click.argument("iccid", type=ICCID)
@json_option
@pass_session
def orders(session: Session, iccid: str, as_json: bool) -> None:
    """List the active and pending orders of a card."""
    found = session.send(SingleQueryOrder(iccid=iccid))
    if as_json:
        show_json(found)
    elif not found.orders:
        click.echo("no active or pending orders")
    else:
        show_table(
            ("status", "plan", "time", "unit", "expires", "days left"),
            (
                (
                    one.order_status,
                    one.service_plan_show_name,
                    one.time,
                    one.unit,
                    one.expire_date,
                    one.remaining_days,
                )
                for one in found.orders
            ),
        )


@click.group(invoke_without_command=True)
@click.option("--purchase-order-id", metavar="ID", help="The partner's own order id.")
@click.option("--order-id", metavar="ID", help="The order id.")
@click.option("--iccid", type=ICCID, help="The card.")
@json_option
@pass_session
@click.pass_context
def order(
    ctx: click.Context,
    session: Session,
    *,
    purchase_order_id: str | None,
    order_id: str | None,
    iccid: str | None,
    as_json: bool,
) -> None:
    """Look one order up, by exactly one of its keys."""
    if ctx.invoked_subcommand is not None:
        return
    if sum(bool(key) for key in (purchase_order_id, order_id, iccid)) != 1:
        raise click.UsageError("give one of --purchase-order-id, --order-id and --iccid")
    found = session.send(
        GetOrder(purchase_order_id=purchase_order_id, order_id=order_id, iccid=iccid)
    )
    if as_json:
        show_json(found)
    elif found is None:
        click.echo("no such order")
    else:
        show_facts(facts_of(found))
