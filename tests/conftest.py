"""What every test gets: a guard against the outside, and servers and clients on loopback."""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
import transports
from catalogue import summary
from leaks import noted_tasks, open_now, open_what_stays, still_open
from servers import RawServer, raw_server
from stores import postgres_dsn, redis_process

from linksfield_async import Account, Client, Endpoints

both = transports.both
__all__ = ["postgres_dsn", "redis_process"]  # fixtures, found by their names


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which entries of the catalogue of faults were covered."""
    passed = terminalreporter.stats.get("passed", [])
    told = summary(report.nodeid for report in passed)
    if " 0 of " not in told:
        terminalreporter.write_line(told)


def _reaches_outside(address: Any) -> bool:
    if not isinstance(address, tuple):
        return False  # a unix socket
    host = address[0]
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host not in ("localhost", "")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Fail any test that reaches beyond loopback, even where the code swallows the refusal."""
    reached: list[Any] = []

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family != socket.AF_UNIX and _reaches_outside(args[-1]):
                reached.append(args[-1])
                raise OSError(f"a test must stay on loopback, not reach {args[-1]!r}")
            return original(self, *args)

        return call

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    lookup = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and _reaches_outside((host,)):
            reached.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "a test must not look names up")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield reached
    if reached:
        pytest.fail(f"the test reached beyond loopback: {reached}")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as server:
        yield server


@pytest.fixture
def account(server: RawServer) -> Account:
    return Account("P000270", endpoints=Endpoints.at(server.url))


@pytest.fixture
async def client(account: Account) -> AsyncIterator[Client]:
    async with Client(account, options=transports.options(deadline=5)) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Fail any test that leaves tasks behind; its loop is closed here."""
    noted: list[str] = []
    with noted_tasks(noted):
        yield
    if noted:
        pytest.fail(f"left behind tasks: {noted}")


@pytest.fixture(autouse=True, scope="session")
def own_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the tests a directory for temporary files in which nobody else leaves any."""
    open_what_stays()
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("temporary"))
    yield
    tempfile.tempdir = before


@pytest.fixture(autouse=True)
def nothing_left_open(own_temporary_files: None) -> Iterator[None]:
    """Fail any test that leaves a thread, an open file or socket, or a temporary file behind."""
    before = open_now()
    yield
    left = still_open(before)
    if left:
        pytest.fail(f"left open: {left}, before there were {before}")
