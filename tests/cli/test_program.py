"""Real runs of the program: exit codes, signals, pipes and terminals."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def test_demo(program):
    with program("demo") as run:
        out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, b"")
    assert b"10,000 rows: 9,445 valid, 415 refused, 140 invalid_input" in out
    assert b"cancelAutoRenewalRecord" in out


def test_exit_codes(program, valid):
    with program("plans", valid[0], "--json") as run:
        out, _ = run.communicate(timeout=20)
    assert (run.returncode, len(json.loads(out)) > 3) == (0, True)
    with program("plans", "8985200000000000000") as run:
        _, err = run.communicate(timeout=20)
    assert (run.returncode, err.count(b"\n")) == (1, 1)
    with program("plans") as run:
        run.communicate(timeout=20)
    assert run.returncode == 2
    with program("verify", "-", stdin=subprocess.PIPE) as run:
        run.communicate(b"iccid\nx\n", timeout=20)
    assert run.returncode == 3


def read_until(stream, wanted: bytes, seconds: float = 20) -> bytes:
    read, end = b"", time.monotonic() + seconds
    while wanted not in read:
        assert time.monotonic() < end, read
        if select.select([stream], [], [], 0.2)[0]:
            chunk = os.read(stream.fileno(), 65536)
            assert chunk, read
            read += chunk
    return read


@ON_POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_done(program, valid, tmp_path, number):
    out = tmp_path / "out.csv"
    # The input stays open, so the run waits for more after the first rows.
    with program("verify", "-", "--out", str(out), stdin=subprocess.PIPE) as run:
        run.stdin.write("\n".join([*valid[:20], ""]).encode())
        run.stdin.flush()
        end = time.monotonic() + 20
        while not out.exists() or out.read_bytes().count(b"\n") < 21:
            assert time.monotonic() < end
            time.sleep(0.05)
        run.send_signal(number)
        assert run.wait(timeout=10) == 4
        err = run.stderr.read()
    assert b"interrupted: 20 rows done" in err
    assert b"Traceback" not in err
    assert out.read_bytes().count(b",valid,") == 20


@ON_POSIX
def test_answers_do_not_wait_for_more_input(program, valid):
    with program("verify", "-", stdin=subprocess.PIPE) as run:
        run.stdin.write(f"{valid[0]}\n{valid[1]}\n".encode())
        run.stdin.flush()
        read = read_until(run.stdout, valid[1].encode() + b",valid")
        run.stdin.close()
        assert run.wait(timeout=10) == 0
    assert valid[0].encode() in read


@ON_POSIX
def test_a_reader_that_leaves_ends_it_quietly(program, valid):
    with program("verify", "-", stdin=subprocess.PIPE) as run:
        run.stdin.write("\n".join([*valid[:50], ""]).encode())
        run.stdin.flush()
        read_until(run.stdout, b",valid")
        run.stdout.close()
        try:
            run.stdin.write("\n".join([*valid[50:400], ""]).encode())
            run.stdin.close()
        except BrokenPipeError:
            pass
        assert run.wait(timeout=10) == 4
        assert run.stderr.read() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_stdout_is_one_line(program, valid):
    for arguments in (("operations",), ("verify", "-")):
        with (
            open("/dev/full", "wb") as full,
            program(*arguments, stdout=full, stdin=subprocess.PIPE) as run,
        ):
            _, err = run.communicate(valid[0].encode(), timeout=20)
        assert run.returncode == 1, err
        assert b"No space left on device" in err
        assert err.count(b"\n") == 1


@ON_POSIX
def test_stdin_redirected_from_the_output_is_refused(program, valid, tmp_path):
    given = tmp_path / "cards.csv"
    given.write_text(valid[0])
    with (
        open(given, "rb") as stdin,
        program("verify", "-", "--out", str(given), "--force", stdin=stdin) as run,
    ):
        _, err = run.communicate(timeout=20)
    assert run.returncode == 2
    assert b"into the file that is read" in err
    with (
        open(given, "ab") as stdout,
        program("verify", str(given), stdout=stdout) as run,
    ):
        _, err = run.communicate(timeout=20)
    assert run.returncode == 2
    assert given.read_text() == valid[0]


@ON_POSIX
def test_the_sandbox_runs_until_ctrl_c(program):
    with program("sandbox", "--port", "0", "--cards", "100") as run:
        told = read_until(run.stdout, b"Ctrl-C").decode()
        exports = dict(
            line.removeprefix("export ").split("=", 1)
            for line in told.splitlines()
            if line.startswith("export ")
        )
        with program("groups", "list", "--json", env=exports) as asked:
            out, _ = asked.communicate(timeout=20)
        assert len(json.loads(out)) == 3
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=10) == 0
        assert run.stderr.read() == b""


def test_settings_of_the_sandbox_reach_it(program, bare):
    assert bare("sandbox", "--cards", "0").exit_code == 2
    assert bare("sandbox", "--failure-status", "500").exit_code == 2
    assert bare("sandbox", "--host", "0.0.0.0", "--port", "0").exit_code == 2
    with program("--partner-code", "P777", "sandbox", "--port", "0") as run:
        assert b"LINKSFIELD_PARTNER_CODE=P777" in read_until(run.stdout, b"Ctrl-C")
        run.terminate()
        assert run.wait(timeout=10) == 0


def on_a_terminal(program, *arguments, typed: bytes = b"", **options) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs} | options
    with program(*arguments, env={"TERM": "xterm", "COLUMNS": "100"}, **streams) as run:
        os.close(theirs)
        os.write(ours, typed)
        try:
            read = read_all(ours)
            run.wait(timeout=10)
        finally:
            run.kill()
            os.close(ours)
    return run.returncode, read.decode()


def read_all(terminal: int, seconds: float = 20) -> bytes:
    read, end = b"", time.monotonic() + seconds
    while True:
        assert time.monotonic() < end, read
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # Linux: the other side is closed
                return read
            if not chunk:
                return read
            read += chunk


@ON_POSIX
def test_verify_on_a_terminal_shows_the_summary(program, valid, tmp_path):
    given = tmp_path / "cards.txt"
    given.write_text("\n".join([*valid[:100], "\x1b]0;title\x07"]))
    code, shown = on_a_terminal(program, "verify", str(given))
    assert code == 3
    assert "invalid_input  1" in shown
    assert "The first 1 row not valid" in shown
    assert "\\x1b]0;title\\x07" in shown
    assert "\x1b]0;" not in shown
    assert "row,given" not in shown


@ON_POSIX
def test_a_table_on_a_terminal_never_cuts_an_iccid(program, valid):
    with program("groups", "add", "G1003", "-", "--json", stdin=subprocess.PIPE) as run:
        out, _ = run.communicate("\n".join(valid[:2]).encode(), timeout=20)
    request_id = json.loads(out)["request_id"]
    code, shown = on_a_terminal(program, "groups", "result", request_id)
    assert code == 0
    assert valid[0] in shown
    assert "─" in shown


@ON_POSIX
@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 1), (b"n\n", 1), (b"\x04", 4)])
def test_a_change_is_asked_for(program, valid, sandbox, typed, code):
    keys = ("--order-no", "1", "--pay-id", "2")
    ended, shown = on_a_terminal(program, "renewal", "cancel", valid[0], *keys, typed=typed)
    assert "Cancel the automatic renewal" in shown
    assert ended == code
    assert bool(len(sandbox.requests)) is (typed == b"y\n")


def test_help_starts_quickly():
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "linksfield_async", "--help"], check=True, capture_output=True
    )
    assert time.monotonic() - started < 5
