"""What the commands share: the account, a client, and the options that many of them have."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import attrs
import click

from ..account import Account, Endpoints, is_loopback
from ..bulk.iccid import clean_iccid
from ..client import Client
from ..errors import ConfigurationError, LinksfieldError
from ..operation import Operation
from ..options import Options
from .failure import Failure, WrongUse, failure_of

T = TypeVar("T")


@attrs.frozen
class Session:
    """Who calls, where to and how long; from the environment, options go before it."""

    partner_code: str | None = None
    endpoints: str | None = None
    deadline: float | None = None

    def account(self) -> Account:
        """Make the account; commands that need none never ask."""
        env = dict(os.environ)
        if self.partner_code is not None:
            env["LINKSFIELD_PARTNER_CODE"] = self.partner_code
        if self.endpoints is not None:
            env["LINKSFIELD_ENDPOINTS"] = self.endpoints
        return Account.from_env(env)

    def client(self, **options: Any) -> Client:
        """Make a client of the account."""
        if self.deadline is not None:
            options["deadline"] = self.deadline
        return Client(self.account(), options=Options(**options))

    def send(self, operation: Operation[T], *, ask: str | None = None) -> T:
        """Carry out one operation; `ask` is the command that tells what became of a change."""
        client = self.client()

        async def once() -> T:
            async with client:
                return await client.send(operation)

        try:
            return run(once())
        except LinksfieldError as error:
            raise failure_of(error, ask=ask) from error

    def confirm(self, question: str, *, yes: bool, always: bool = False) -> None:
        """Ask before a change; without `always` only where it is not a test.

        Endpoints that are neither the test ones nor on this machine count as production: what
        stands behind a gateway's address nobody here can tell.
        """
        if yes or not (always or _is_live(self.account().endpoints)):
            return
        if not sys.stdin.isatty():
            raise WrongUse(f"{question} Nobody can be asked here: --yes says yes")
        if not click.confirm(question, err=True):
            raise Failure("not confirmed, nothing was sent")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine to its end, on a faster loop where the extra `speed` is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _is_live(endpoints: Endpoints) -> bool:
    tests = (Endpoints.TEST.vshop, Endpoints.TEST.payment, Endpoints.TEST.topup)
    used = (endpoints.vshop, endpoints.payment, endpoints.topup)
    return any(url not in tests and not is_loopback(urlsplit(url).hostname or "") for url in used)


if TYPE_CHECKING:
    _TextType = click.ParamType[str]
else:
    # Older releases of click, which are supported too, know no type parameter.
    _TextType = click.ParamType


class IccidType(_TextType):
    """An ICCID on the command line, tidied like one in a file."""

    name = "iccid"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Tidy it, or say what is wrong with it."""
        try:
            return clean_iccid(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


ICCID = IccidType()


def auto_or(number: click.IntRange | click.FloatRange, name: str) -> Callable[[str], Any]:
    """Make a type of an option that takes a number, or the word auto."""

    def convert(value: Any) -> Any:
        if value == "auto":
            return value
        try:
            return number.convert(value, None, None)
        except click.BadParameter as error:
            raise click.BadParameter(f"{error.message} A number or `auto` is needed.") from error

    convert.__name__ = name
    return convert


pass_session = click.make_pass_decorator(Session, ensure=True)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON to stdout and nothing else there."
)
yes_option: Decorator = click.option("--yes", is_flag=True, help="Do not ask before the change.")
