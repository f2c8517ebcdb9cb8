"""A shop against a sandbox, and a record of a purchase that was planned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from shop import Shop, open_shop

from linksfield_async import Account
from linksfield_async.checkout.ids import OwnIds
from linksfield_async.checkout.record import Record, fact
from linksfield_async.checkout.saving import endpoints_of
from linksfield_async.checkout.state import State


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
def account() -> Account:
    return Account("P000270")


@pytest.fixture
def record(account: Account) -> Record:
    return Record(
        kind="purchase",
        partner=account.partner_code,
        endpoints=endpoints_of(account),
        iccid="89852420180910340793",
        package_code="PACKAGE1",
        plan_code="SP1",
        plan_name="Europe 5GB",
        periods=1,
        amount=Decimal("9.90"),
        currency="EUR",
        ids=OwnIds(order_no="N1", pay_id="P000270N1", request_order_id="N1"),
        reached=State.PLANNED,
        facts=(fact("SingleVerify: the card is valid"),),
    )
