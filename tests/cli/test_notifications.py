"""`notifications`, run as it is used."""

from __future__ import annotations

import json
import signal
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pushes import KEY, signed

from linksfield_async.notifications import SignatureScheme
from linksfield_async.notifications.learning import Capture

SCHEME = SignatureScheme(join="\n", key="hex", output="upper-hex")


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    body, headers = signed(scheme=SCHEME)
    file = tmp_path / "one.http"
    file.write_bytes(Capture(tuple(headers), body).written())
    return file


def test_learn(bare: Any, captured: Path, tmp_path: Path) -> None:
    found = bare("notifications", "learn", str(captured), LINKSFIELD_NOTIFICATION_KEY=KEY)
    assert (found.exit_code, found.stdout) == (0, f"{SCHEME}\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    key = f"file:{tmp_path / 'key'}"
    both = (str(captured), str(captured))
    found = bare("notifications", "learn", *both, "--key", key, "--json")
    assert json.loads(found.stdout)["fitting"][0]["scheme"] == str(SCHEME)


def test_learn_with_another_key(bare: Any, captured: Path) -> None:
    found = bare("notifications", "learn", str(captured), "--key", "env:OTHER", OTHER="00")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "none of" in found.stderr


def test_learn_is_told_nothing_useful(bare: Any, captured: Path, tmp_path: Path) -> None:
    for source in (KEY, "env:", "env:NOT_SET"):
        found = bare("notifications", "learn", str(captured), "--key", source)
        assert found.exit_code == 2
        assert KEY not in found.stderr
    (tmp_path / "unsigned").write_bytes(b"Host: x\n\n{}")
    unsigned = str(tmp_path / "unsigned")
    found = bare("notifications", "learn", unsigned, LINKSFIELD_NOTIFICATION_KEY=KEY)
    assert found.exit_code == 1
    assert "no signature headers" in found.stderr


def test_learn_with_files_that_are_none(bare: Any, captured: Path, tmp_path: Path) -> None:
    """Each is told in one line."""
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    (tmp_path / "deep").write_text('{"a":' + "[" * 400_000)
    for arguments, code, told in (
        (
            (str(captured), "--key", f"file:{tmp_path / 'key'}"),
            2,
            "cannot be read: it is not UTF-8",
        ),
        ((str(captured), "--key", f"file:{tmp_path / 'none'}"), 2, "cannot be read: No such file"),
        ((str(tmp_path / "deep"), "--key", "env:KEY"), 2, "a capture in JSON is"),
    ):
        found = bare("notifications", "learn", *arguments, KEY="00")
        assert (found.exit_code, told in found.stderr) == (code, True), found.stderr


def test_several_schemes_may_fit(bare: Any, tmp_path: Path) -> None:
    """Without a sign that tells them apart both kinds of Base64 fit."""
    for number in range(200):
        plain = signed({"n": str(number)}, scheme=SignatureScheme(output="base64"))
        value = dict(plain[1])["x-lf-signature"].partition("/")[2]
        if not {"+", "/"} & set(value):
            break
    (tmp_path / "one").write_bytes(Capture(tuple(plain[1]), plain[0]).written())
    one = str(tmp_path / "one")
    found = bare("notifications", "learn", one, LINKSFIELD_NOTIFICATION_KEY=KEY)
    assert found.exit_code == 3
    assert found.stdout.count("\n") == 2


def push(url: str, body: bytes, headers: Any) -> int:
    request = urllib.request.Request(url, body, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_listen(program: Any, tmp_path: Path) -> None:
    folder = tmp_path / "captured"
    folder.mkdir()
    arguments = (
        *("notifications", "listen", "--port", "0", "--key", "key-1=env:THE_KEY"),
        *("--scheme", str(SCHEME), "--inbox", str(tmp_path / "inbox.db")),
        *("--capture", str(folder)),
    )
    message = signed(scheme=SCHEME)
    for again in (False, True):
        with program(*arguments, env={"THE_KEY": KEY}) as run:
            url = run.stdout.readline().split()[1].decode()
            assert push(url, *message) == 200
            assert push(url, *message) == 200
            assert push(url, b"{}", []) == 401
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=20)
        assert run.returncode == 0, err
        lines = out.decode().splitlines()
        assert len(lines) == (0 if again else 1)
        if lines:
            told = json.loads(lines[0])
            assert told["authenticity"] == "signed"
            assert told["fields"]["orderNo"] == "2026010100001"
        assert b"refused: the message is not signed" in err
        assert b"Traceback" not in err
    files = sorted(folder.iterdir())
    assert len(files) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert Capture.read(files[0].read_bytes()).body == message[0]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--key", "key-1"),
        ("--key", "key-1=plain"),
        ("--key", "key-1=env:THE_KEY", "--host", "0.0.0.0"),
        ("--key", "key-1=env:THE_KEY", "--scheme", "x"),
        ("--key", "key-1=env:THE_KEY", "--path", "x"),
        ("--key", "key-1=env:THE_KEY", "--path", "/{x"),
        ("--key", "key-1=env:THE_KEY", "--capture", "/nowhere/at/all"),
    ],
)
def test_listen_with_wrong_settings(bare: Any, arguments: tuple[str, ...]) -> None:
    found = bare("notifications", "listen", "--port", "0", *arguments, THE_KEY=KEY)
    assert found.exit_code == 2, found.output
    assert found.stderr.count("\n") == 1


def test_listen_with_an_inbox_that_cannot_be_written(bare: Any) -> None:
    arguments = ("--key", "k=env:THE_KEY", "--inbox", "/nowhere/at/all.db")
    found = bare("notifications", "listen", "--port", "0", *arguments, THE_KEY=KEY)
    assert found.exit_code == 1
    assert "inbox" in found.stderr
