from __future__ import annotations

from datetime import UTC, datetime

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.checkout import OwnIds, mint_ids


def test_the_payment_id_is_partner_code_and_order_number_as_in_the_sample() -> None:
    ids = mint_ids("P000818")
    assert ids.pay_id == f"P000818{ids.order_no}"
    assert ids.order_no.isdigit()
    age = datetime.now(UTC) - datetime.strptime(ids.order_no[:14], "%Y%m%d%H%M%S").replace(
        tzinfo=UTC
    )
    assert 0 <= age.total_seconds() < 60


def test_ten_thousand_at_once_are_all_different() -> None:
    assert len({mint_ids("P1").order_no for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("wrong", ["", " ", "a\n", "a ", None, 5])
def test_an_id_that_cannot_be_asked_for_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OwnIds\.pay_id"):
        OwnIds(order_no="1", pay_id=wrong, request_order_id="1")
