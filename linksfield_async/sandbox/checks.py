"""The checks that every signed request passes, in one fixed order, before it is carried out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..operation import Operation
from .answers import Refusal
from .routes import Parameter, Route
from .signature import check_signature

VERSION = "3.0"


def checked_call(
    route: Route, parameters: Mapping[str, object], partner_codes: Collection[str]
) -> tuple[Operation[Any], str]:
    """Check the parameters of a request; give the operation they make and the partner."""
    check_signature(parameters)
    partner = parameters.get("partnerCode")
    if not isinstance(partner, str) or partner not in partner_codes:
        raise Refusal("partnerCode is unknown")
    if parameters.get("version") != VERSION:
        raise Refusal(f"version must be {VERSION}")
    if route.has_trade_parameters:
        _check_trade_parameters(parameters)
    fields: dict[str, object] = {}
    for parameter in route.parameters:
        fields[parameter.python] = _value(parameter, parameters.get(parameter.wire))
    return route.operation(**fields), partner


def _check_trade_parameters(parameters: Mapping[str, object]) -> None:
    for name in ("tradeTime", "tradeType"):
        value = parameters.get(name)
        if not isinstance(value, str) or not value:
            raise Refusal(f"{name} is missing, empty or not text")
    trade_time = str(parameters["tradeTime"])
    if not (trade_time.isascii() and trade_time.isdigit()):
        raise Refusal("tradeTime must be digits only")


def _value(parameter: Parameter, value: object) -> object:
    """Check one parameter; an empty text counts as none, a list may be empty."""
    if value is None or value == "":
        if parameter.required:
            raise Refusal(f"{parameter.wire} is missing or empty")
        return None
    if not parameter.is_list:
        if isinstance(value, str):
            return value
        raise Refusal(f"{parameter.wire} must be text")
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise Refusal(f"{parameter.wire} must be a list of texts")
