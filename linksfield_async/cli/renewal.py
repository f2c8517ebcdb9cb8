"""`renewal`: a card's automatic renewal."""

from __future__ import annotations

import click

from ..operations import CancelAutoRenewalRecord, QueryAutoRenewalRecord
from .output import facts_of, show_facts, show_json
from .session import ICCID, Session, json_option, pass_session, yes_option


@click.group()
def renewal() -> None:
    """Show or cancel the automatic renewal of a card."""


@renewal.command()
@click.argument("iccid", type=ICCID)
@json_option
@pass_session
def show(session: Session, iccid: str, as_json: bool) -> None:
    """Show the active renewal of a card."""
    found = session.send(QueryAutoRenewalRecord(iccid=iccid))
    if as_json:
        show_json(found)
    elif found is None:
        click.echo("no active renewal")
    else:
        show_facts(facts_of(found))


@renewal.command()
@click.argument("iccid", type=ICCID)
@click.option("--order-no", required=True, help="As `renewal show` tells it.")
@click.option("--pay-id", required=True, help="As `renewal show` tells it.")
@yes_option
@json_option
@pass_session
def cancel(
    session: Session, *, iccid: str, order_no: str, pay_id: str, yes: bool, as_json: bool
) -> None:
    """Cancel the renewal of a card; what is paid runs to its end."""
    session.confirm(f"Cancel the automatic renewal of {iccid}?", yes=yes, always=True)
    session.send(
        CancelAutoRenewalRecord(iccid=iccid, order_no=order_no, pay_id=pay_id),
        ask=f"linksfield renewal show {iccid}",
    )
    if as_json:
        show_json({"canceled": True, "iccid": iccid, "order_no": order_no, "pay_id": pay_id})
    else:
        click.echo(f"canceled; `linksfield renewal show {iccid}` confirms it")
