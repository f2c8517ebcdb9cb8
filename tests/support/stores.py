"""Real servers for the inboxes, on free ports of loopback, where their programs are installed."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def _program(name: str) -> str:
    """Find a program; Debian keeps those of PostgreSQL beside the path."""
    found = shutil.which(name) or next(iter(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")), None)
    if found is None:
        pytest.skip(f"{name} is not installed; Debian has it in redis-server or postgresql")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the server does not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class RedisProcess:
    """A redis-server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._program = _program("redis-server")
        self._folder = folder
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        log = self._folder / "log"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [self._program, *options, "--dir", str(self._folder)], stdout=out, stderr=out
            )
        _await(self._process, lambda: _answers(self.port), log)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A PostgreSQL of its own; as root it runs as the user that Debian's package makes."""
    initdb, postgres = _program("initdb"), _program("postgres")
    as_user: dict[str, Any] = {}
    # Beside the directories of the tests, which another user may not enter.
    shared = os.environ.get("TMPDIR", "/tmp")
    folder = Path(tempfile.mkdtemp(prefix="linksfield-postgres-", dir=shared))
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, log, port = folder / "data", folder / "log", _free_port()
    subprocess.run(
        [initdb, "-D", str(data), "-A", "trust", "-U", "tester", "--no-sync", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,
    )
    settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "unix_socket_directories": folder}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [postgres, "-D", str(data), "-p", str(port), *options],
            stdout=out,
            stderr=out,
            cwd=folder,
            **as_user,
        )
    _await(process, lambda: b"ready to accept connections" in log.read_bytes(), log)
    yield f"host=127.0.0.1 port={port} user=tester dbname=postgres"
    process.send_signal(signal.SIGINT)
    process.wait(20)
    shutil.rmtree(folder)
