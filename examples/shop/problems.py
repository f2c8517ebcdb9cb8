"""What goes wrong, as answers that say what is known and what can be done."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from linksfield_async import CheckoutRefused, ConfigurationError, LinksfieldError, Refused

from .database import DatabaseDown
from .orders import NoSuchOrder

_log = logging.getLogger("shop")

_CARD = "This card cannot be used here. Please check the number that is printed on it."
_DOWN = "The network does not answer at the moment. Please try again in a minute."
_OWN = "The shop cannot write its records at the moment. What was begun goes on as soon as it can."


def _answer(status: int, code: str, text: str) -> JSONResponse:
    return JSONResponse({"code": code, "text": text}, status, headers={"Cache-Control": "no-store"})


async def _no_such_order(_: Request, __: Exception) -> JSONResponse:
    return _answer(404, "no_such_order", "Nothing was ordered under this address.")


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = ", ".join(str(one["loc"][-1]) for one in found)
    return _answer(422, "invalid", f"This cannot be read: {fields}.")


async def _service(_: Request, error: Exception) -> JSONResponse:
    _log.warning("%s: %s", type(error).__name__, error)
    if isinstance(error, CheckoutRefused):
        return _answer(409, "not_sold", f"This cannot be ordered: {error}.")
    if isinstance(error, Refused):
        return _answer(409, "card_refused", _CARD)
    if isinstance(error, ConfigurationError):
        return _answer(500, "settings", "The shop is not set up correctly.")
    return _answer(503, "service_down", _DOWN)


async def _database(_: Request, error: Exception) -> JSONResponse:
    _log.error("%s", error)
    return _answer(503, "shop_down", _OWN)


def add_problems(app: FastAPI) -> None:
    """Have every error of the shop and of the service answered in one shape."""
    app.add_exception_handler(NoSuchOrder, _no_such_order)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LinksfieldError, _service)
    app.add_exception_handler(DatabaseDown, _database)
