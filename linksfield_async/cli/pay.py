"""`pay`: authorize a payment, ask what became of it, confirm it."""

from __future__ import annotations

import shlex

import click

from ..operations import PaymentResult, ResultConfirm, ResultQuery, StripePay
from .output import as_json as json_values
from .output import facts_of, show_facts, show_json
from .session import Session, json_option, pass_session, yes_option


@click.group()
def pay() -> None:
    """Pay for an order through Stripe."""


@pay.command()
@click.argument("pay_id")
@click.option("--amount", required=True, help="Decimal number, sent exactly as given.")
@click.option("--currency", required=True, help="In lower case, e.g. usd.")
@click.option("--email", help="The payer's address.")
@yes_option
@json_option
@pass_session
def authorize(
    session: Session,
    *,
    pay_id: str,
    amount: str,
    currency: str,
    email: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Ask for what an app or page needs to let Stripe take a payment.

    The answer holds a client secret: whoever has it can pay, and see the payment.
    """
    session.confirm(f"Authorize {amount} {currency} for {pay_id} in production?", yes=yes)
    found = session.send(
        StripePay(pay_id=pay_id, pay_amount=amount, pay_currency=currency, email=email),
        ask=_ask(pay_id),
    )
    if as_json:
        show_json(found)
    else:
        show_facts(facts_of(found))


@pay.command()
@click.argument("pay_id")
@json_option
@pass_session
def status(session: Session, pay_id: str, as_json: bool) -> None:
    """Tell what became of a payment."""
    _show(session.send(ResultQuery(pay_id=pay_id)), as_json=as_json)


@pay.command()
@click.argument("pay_id")
@yes_option
@json_option
@pass_session
def confirm(session: Session, pay_id: str, yes: bool, as_json: bool) -> None:
    """Confirm the result of a payment."""
    session.confirm(f"Confirm the result of the payment {pay_id}?", yes=yes, always=True)
    _show(session.send(ResultConfirm(pay_id=pay_id), ask=_ask(pay_id)), as_json=as_json)


def _ask(pay_id: str) -> str:
    return f"linksfield pay status {shlex.quote(pay_id)}"


def _show(result: PaymentResult, *, as_json: bool) -> None:
    if as_json:
        show_json({"state": result.state, **json_values(result)})
    else:
        show_facts([("state", result.state), *facts_of(result)])
