"""A purchase or subscription that can be put down at any step and taken up anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..errors import BadAnswer, CheckoutRefused, LinksfieldError, Refused, Throttled
from ..operation import Operation, Service
from ..operations import (
    AutoRenewal,
    CancelAutoRenewalRecord,
    PaymentAuthorization,
    QueryAutoRenewalRecord,
    ResultConfirm,
    ResultQuery,
    SingleQueryOrder,
    StripeAutoPay,
    StripePay,
    StripeSubDirectly,
    SubscriptionAuthorization,
)
from .facts import CheckoutFacts
from .learning import learn_order, learn_renewal
from .money import currency_for
from .payment import beyond_before, is_ours, payment_told, with_payment
from .reconcile import Conclusion
from .settle import settled
from .state import State, Step
from .stepping import Stepping


class Checkout(CheckoutFacts):
    """One order on its way: what is known of it, with which evidence, and what comes next.

    Made by `client.checkout`. Its methods wait for each other; a step whose answer is lost does
    not raise but leaves the state UNKNOWN, and `error` says why. Its text (`save`) holds the
    client secret.
    """

    def __init__(self, stepping: Stepping) -> None:
        super().__init__(stepping)
        self._lock = asyncio.Lock()

    async def proceed(self, *, email: str | None = None) -> State:
        """Order and authorize, as far as that is not done; what is unknown is asked about first."""
        async with self._lock:
            if self.record.under_way is not None:
                await self._settle(())
            elif Step.AUTHORIZING in self.record.sent:
                await self._look_again()
            if self.record.state is State.PLANNED:
                await self._order()
            if self.record.state is State.ORDERED:
                await self._authorize(email)
            return self.state

    async def refresh(self) -> State:
        """Ask what became of the payment, or of the step that is unknown."""
        async with self._lock:
            await self._refresh()
            return self.state

    async def reconcile(self, known: Iterable[str | CheckoutFacts] = ()) -> Conclusion:
        """Ask for the order on every road; see `client.checkout.reconcile`."""
        async with self._lock:
            return await self._settle(known)

    async def complete_subscription(self, *, pm_id: str, email: str) -> State:
        """Make the Stripe subscription with the payment method from the page; then `refresh`.

        Called again it sends nothing where the subscription was made. Neither of the two is kept.
        """
        async with self._lock:
            if not self.record.is_subscription:
                raise CheckoutRefused("this checkout is for one payment, not a subscription")
            if self.record.under_way is not None or Step.SUBSCRIBING in self.record.sent:
                await self._look_again()
            if self.record.state is State.AUTHORIZED and not self.record.subscribed:
                await self._subscribe(pm_id, email)
            elif self.record.state in (State.PLANNED, State.ORDERED):
                raise CheckoutRefused("it is not authorized yet: proceed() comes first")
            return self.state

    async def confirm(self) -> State:
        """Confirm a payment and find the order among the card's; until it is there it stays PAID."""
        async with self._lock:
            waiting = (State.UNKNOWN, State.ORDERED, State.AUTHORIZED, State.FAILED)
            if self.record.under_way is not None or self.record.state in waiting:
                await self._refresh()
            if self.record.under_way is not None:
                return self.state
            if self.record.state is State.PAID:
                await self._confirm()
            elif self.record.state is not State.CONFIRMED:
                raise CheckoutRefused(f"only what is paid can be confirmed; this is {self.state}")
            return self.state

    async def renewal(self) -> AutoRenewal | None:
        """Give the card's active renewal if it is that of this subscription."""
        found = await self._stepping.room.sender.send(
            QueryAutoRenewalRecord(iccid=self.record.iccid)
        )
        return found if is_ours(self.record, found) else None

    async def cancel_renewal(self) -> bool:
        """Cancel the renewal; what is paid runs to its end. False: it is not known to be canceled."""
        async with self._lock:
            if self.record.under_way is not None:
                await self._settle(())
            record = self.record
            if record.renewal_canceled or record.under_way is not None:
                return record.renewal_canceled
            await self._see_renewal()
            ids = record.ids
            operation = CancelAutoRenewalRecord(
                iccid=record.iccid, order_no=ids.order_no, pay_id=ids.pay_id
            )
            if await self._stepping.once(Step.CANCELING, operation) is None:
                return False
            told = "CancelAutoRenewalRecord: canceled"
            changes = {"under_way": None, "renewal_canceled": True}
            await self._stepping.commit(self.record.noting(told, **changes))
            return True

    async def _see_renewal(self) -> None:
        """Have the renewal shown before it is canceled: only then does it prove anything later
        that it is shown no more."""
        if not self.record.is_subscription:
            raise CheckoutRefused("this checkout is for one payment: it has no renewal to cancel")
        try:
            is_shown = await self.renewal() is not None
        except LinksfieldError as error:
            if not self.record.subscribed:
                raise
            told = f"QueryAutoRenewalRecord: {type(error).__name__}: {error}"
            await self._stepping.commit(self.record.noting(told))
            return
        if is_shown:
            told = "QueryAutoRenewalRecord shows it"
            await self._stepping.commit(self.record.noting(told, shown_renewal=True))
        elif not self.record.subscribed:
            raise CheckoutRefused("nothing is subscribed yet: there is no renewal to cancel")

    async def _order(self) -> None:
        if await self._stepping.once(Step.ORDERING, self.record.order()) is None:
            return
        told = f"SingleOrder: the order {self.record.ids.order_no} is made"
        await self._stepping.commit(self.record.moving(State.ORDERED, told, under_way=None))
        await learn_order(self._stepping)

    async def _authorize(self, email: str | None) -> None:
        record = self.record
        kind = StripeAutoPay if record.is_subscription else StripePay
        operation: Operation[PaymentAuthorization | SubscriptionAuthorization] = kind(
            pay_id=record.ids.pay_id,
            pay_amount=record.amount,
            pay_currency=currency_for(Service.PAYMENT, record.currency),
            email=email,
        )
        answer = await self._stepping.once(Step.AUTHORIZING, operation)
        if answer is None:
            return
        (given,) = answer
        plan_id = getattr(given, "plan_id", None)
        if given.client_secret is None or (record.is_subscription and plan_id is None):
            told = f"{kind.__name__} answered without a client secret or plan id"
            await self._stepping.commit(self.record.noting(told, under_way=None))
            raise BadAnswer(f"{told}; their names are assumed, see Account(wire_names=…)")
        authorized = self.record.moving(
            State.AUTHORIZED,
            f"{kind.__name__}: authorized",
            under_way=None,
            client_secret=given.client_secret,
            publishable_key=given.publishable_key,
            plan_id=plan_id,
        )
        await self._stepping.commit(authorized)

    async def _subscribe(self, pm_id: str, email: str) -> None:
        record = self.record
        answer = await self._stepping.once(
            Step.SUBSCRIBING,
            StripeSubDirectly(
                email=email,
                pay_amount=record.amount,
                pay_currency=currency_for(Service.PAYMENT, record.currency),
                pay_id=record.ids.pay_id,
                plan_id=record.plan_id or "",
                pm_id=pm_id,
            ),
        )
        if answer is None:
            return
        (made,) = answer
        subscribed = self.record.noting(
            f"StripeSubDirectly: {made.sub_id} is {made.status}",
            under_way=None,
            subscribed=True,
            sub_id=made.sub_id,
            sub_status=made.status,
        )
        await self._stepping.commit(subscribed)
        await learn_renewal(self._stepping)

    async def _refresh(self) -> None:
        record = self.record
        if record.under_way is not None:
            await self._settle(())
        elif record.reached is not State.PLANNED and not record.refused:
            result = await self._stepping.room.sender.send(ResultQuery(pay_id=record.ids.pay_id))
            await self._stepping.commit(with_payment(record, result))

    async def _look_again(self) -> None:
        """Ask whether it is paid by now, before a step that was refused is sent again."""
        try:
            await self._refresh()
        except Throttled:  # it tells nothing of the payment
            raise
        except Refused as error:  # no payment may be known yet: what was sent was not carried out
            await self._stepping.commit(self.record.noting(f"ResultQuery: {error}"))

    async def _confirm(self) -> None:
        stepping = self._stepping
        if self.record.confirm_answered:
            # What it said may have been a contradiction: the payment must be told of anew.
            if not await self._is_still_paid():
                return
        else:
            answer = await stepping.once(
                Step.CONFIRMING, ResultConfirm(pay_id=self.record.ids.pay_id)
            )
            if answer is None:
                return
            answered = {"under_way": None, "confirm_answered": True}
            told = payment_told(answer[0], "ResultConfirm")
            await stepping.commit(self.record.noting(told, **answered))
            with_payment(self.record, answer[0], "ResultConfirm")
        found = await stepping.room.sender.send(SingleQueryOrder(iccid=self.record.iccid))
        name = self.record.plan_name
        ours = [one for one in found.orders if one.service_plan_show_name == name]
        if beyond_before(self.record, ours) > 0:
            told = "SingleQueryOrder shows the order"
            await stepping.commit(self.record.moving(State.CONFIRMED, told))
        else:
            told = "SingleQueryOrder does not show the order yet"
            await stepping.commit(self.record.noting(told))

    async def _is_still_paid(self) -> bool:
        result = await self._stepping.room.sender.send(ResultQuery(pay_id=self.record.ids.pay_id))
        await self._stepping.commit(with_payment(self.record, result))
        return result.state == "paid"

    async def _settle(self, known: Iterable[str | CheckoutFacts]) -> Conclusion:
        stepping = self._stepping
        texts = [one.save() if isinstance(one, CheckoutFacts) else one for one in known]
        witnesses = await stepping.witnesses(texts)
        record, conclusion = await settled(stepping.room, self.record, witnesses)
        was_under_way = stepping.record.under_way is not None
        await stepping.commit(record)
        if was_under_way and record.under_way is None and record.reached is not State.FAILED:
            stepping.error = None
        return conclusion
