"""Own ids of an order: minted once, kept before they are used, never minted anew."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigurationError


def _id(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value or not value.isprintable() or value != value.strip():
        raise ConfigurationError(f"OwnIds.{attribute.name} must be printable text and not empty")


@attrs.frozen(kw_only=True)
class OwnIds:
    """The three ids that a caller gives to an order; each must be new."""

    order_no: str = attrs.field(validator=_id)
    pay_id: str = attrs.field(validator=_id)
    request_order_id: str = attrs.field(validator=_id)
    """By which the order is asked for; that GetOrder finds it by this id is an assumption."""


MintIds: TypeAlias = Callable[[str], OwnIds]
"""Makes new ids for a partner code."""


def mint_ids(partner_code: str) -> OwnIds:
    """Mint ids in the form of the documented sample: payId = partnerCode + orderNo.

    The order number is the time in UTC and nine random digits. It is longer than the sample's,
    whose five would meet again within a second of many orders; a longest length is not documented.
    """
    now = datetime.now(UTC)
    order_no = f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}{secrets.randbelow(10**9):09d}"
    return OwnIds(order_no=order_no, pay_id=partner_code + order_no, request_order_id=order_no)
