"""The sandbox in Stripe's place: what Stripe.js would do in the browser, for a shop without Stripe.

Only mounted where SHOP_STRIPE_STAND_IN is set, or the shop runs a sandbox of its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import aiohttp
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, StringConstraints

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_SECONDS = 10


class Payment(BaseModel):
    """What the page's payment form was told."""

    client_secret: Secret
    card: Literal["good", "declined"]


def routes(sandbox_url: str) -> APIRouter:
    """Make the two routes that the page's stand-in for Stripe.js calls."""
    router = APIRouter(prefix="/stand-in")

    @router.post("/payment")
    async def payment(told: Payment) -> dict[str, str]:
        action = "complete" if told.card == "good" else "decline"
        await _ask(sandbox_url, f"payment_intents/{action}", client_secret=told.client_secret)
        return {"status": "succeeded" if told.card == "good" else "declined"}

    @router.post("/setup")
    async def setup(told: Payment) -> dict[str, str]:
        declines = told.card == "declined"
        secret = told.client_secret
        made = await _ask(
            sandbox_url, "setup_intents/confirm", client_secret=secret, declines=declines
        )
        return {"payment_method": str(made["pm_id"])}

    return router


async def _ask(url: str, action: str, **body: Any) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{url}/stripe/{action}", json=body) as answer,
        ):
            told = await answer.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HTTPException(502, "the payment service cannot be reached") from error
    if answer.status != 200:
        raise HTTPException(409, "the payment service did not take this")
    return dict(told)
