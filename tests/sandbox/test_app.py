"""The life of a sandbox: settings, start, close, several at once, the same again."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import time

import pytest

from linksfield_async import Account, Endpoints, errors
from linksfield_async.sandbox import Sandbox, serve
from linksfield_async.sandbox.__main__ import main, parser

VERIFY = "/vshop/singleVerify"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cards": 0},
        {"cards": True},
        {"cards": 1.5},
        {"cards": "10"},
        {"cards": 10**9},
        {"seed": "x"},
        {"seed": 2**64},
        {"partner_code": ""},
        {"partner_code": "a\nb"},
        {"partner_code": 5},
        {"host": ""},
        {"port": -1},
        {"port": 65_536},
        {"job_delay": -0.1},
        {"job_delay": float("inf")},
        {"job_delay": "1"},
        {"failure_status": 500},
        {"failure_status": 201},
        {"failure_status": True},
        {"latency": float("nan")},
        {"latency": -1},
        {"keep_requests": -1},
        {"dedupe_orders": 1},
        {"allow_any_host": "yes"},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(errors.ConfigurationError) as caught:
        Sandbox(**wrong)
    assert next(iter(wrong)) in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_other_machines_are_kept_out(host):
    with pytest.raises(errors.ConfigurationError, match="allow_any_host"):
        Sandbox(host=host)


async def test_any_host_when_asked_for(caller_of):
    async with Sandbox(cards=20, host="0.0.0.0", allow_any_host=True) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert (await caller_of(sandbox)(VERIFY, deviceCode="1")).refusal


async def test_localhost(caller_of):
    async with Sandbox(cards=20, host="localhost") as sandbox:
        assert (await caller_of(sandbox)(VERIFY, deviceCode="1")).refusal


async def test_ipv6(caller_of):
    try:
        server = await asyncio.start_server(lambda *_: None, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    server.close()
    await server.wait_closed()
    async with Sandbox(cards=20, host="::1") as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
        assert (await caller_of(sandbox)(VERIFY, deviceCode="1")).refusal


async def test_account_and_endpoints():
    async with Sandbox(partner_code="P1") as sandbox:
        assert sandbox.endpoints == Endpoints.at(sandbox.url)
        assert sandbox.account == Account("P1", endpoints=sandbox.endpoints)
        assert repr(sandbox) == "<Sandbox for P1, 0 requests>"


async def test_not_running():
    sandbox = Sandbox()
    for name in ("url", "endpoints", "account"):
        with pytest.raises(errors.ConfigurationError, match="not running"):
            getattr(sandbox, name)
    await sandbox.close()


async def test_started_twice_and_again(caller_of):
    sandbox = Sandbox(cards=20)
    async with sandbox:
        with pytest.raises(errors.ConfigurationError, match="already running"):
            await sandbox.start()
        await caller_of(sandbox)(VERIFY, deviceCode="1")
    await sandbox.close()
    assert sandbox.requests.total == 1
    async with sandbox:
        await caller_of(sandbox)(VERIFY, deviceCode="2")
    assert [request.params["deviceCode"] for request in sandbox.requests] == ["1", "2"]


async def test_port_in_use():
    async with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        second = Sandbox(port=port)
        with pytest.raises(errors.ConfigurationError, match=f"cannot listen on .* {port}"):
            await second.start()
    async with second:
        assert second.url.endswith(f":{port}")


async def test_several_at_once(caller_of):
    async with Sandbox(cards=50) as one, Sandbox(cards=50, seed=2, partner_code="P2") as two:
        first, second = caller_of(one), caller_of(two).of("P2")
        card = next(one.world.iccids())
        assert (await first(VERIFY, deviceCode=card)).data["partnerCode"] == "P000270"
        assert (await second(VERIFY, deviceCode=card)).refusal == "the card is unknown"
        assert (await first.of("P2")(VERIFY, deviceCode=card)).refusal == "partnerCode is unknown"
        assert (one.requests.total, two.requests.total) == (2, 1)


async def test_latency_comes_after_the_work(caller_of, until):
    async with Sandbox(cards=20, latency=0.05) as sandbox:
        call = caller_of(sandbox)
        started = time.perf_counter()
        asking = asyncio.create_task(call(VERIFY, deviceCode="1"))
        await until(lambda: sandbox.requests)
        assert not asking.done()
        assert (await asking).refusal
        assert time.perf_counter() - started >= 0.05


async def test_closes_while_answers_are_under_way(session, until):
    before = asyncio.all_tasks()
    async with Sandbox(cards=20, latency=30) as sandbox:
        asking = [asyncio.create_task(session.get(f"{sandbox.url}/x")) for _ in range(3)]
        await until(lambda: len(sandbox.requests) == 3)
        started = time.perf_counter()
    assert time.perf_counter() - started < 3
    await asyncio.gather(*asking, return_exceptions=True)
    assert asyncio.all_tasks() <= before | set(asking)


async def test_starts_fast():
    started = time.perf_counter()
    async with Sandbox(cards=10_000):
        assert time.perf_counter() - started < 0.3


async def play(caller_of, order, seed):
    """Go through the operations once; gives all answers and the log."""
    async with Sandbox(cards=100, seed=seed) as sandbox:
        sandbox.clock.pause()
        call, replies = caller_of(sandbox), []
        card = next(sandbox.world.iccids())
        bought = order(deviceCode=card, autoRenewal="1")
        charge = {"payId": bought["payId"], "payAmount": "19.99", "payCurrency": "usd"}
        reads = ("singleVerify", "singleServicePlanPage", "singleQueryOrder")
        replies += [await call(f"/vshop/{path}", deviceCode=card) for path in reads]
        replies.append(await call("/vshop/singleOrder", **bought))
        replies.append(await call("/payment/stripePay", **charge))
        setup = await call("/payment/stripeAutoPay", **charge)
        pm_id = sandbox.stripe.confirm_setup(setup.data["client_secret"])
        subscription = {**charge, "email": "a@b.example", "plan_id": setup.data["plan_id"]}
        replies += [setup, await call("/payment/stripeSubDirectly", **subscription, pm_id=pm_id)]
        sandbox.clock.advance(days=40)
        replies.append(await call("/payment/resultQuery", payId=bought["payId"]))
        replies.append(await call("/vshop/queryAutoRenewalRecord", deviceCode=card))
        group = {"group_id": "G1003"}
        path = "/topup/mall/bundle-groups/G1003/sims"
        replies.append(await call(path, in_path=group, sim_ids=[card]))
        log = [
            (one.index, one.time, one.path, one.operation, one.status, one.outcome, one.body)
            for one in sandbox.requests
        ]
        return [reply.body for reply in replies], log


async def test_same_seed_same_answers_and_log(caller_of, order):
    first, again, other = [await play(caller_of, order, seed) for seed in (5, 5, 6)]
    times = [[entry[1] for entry in log] for _, log in (first, again)]
    # Before the pause some microseconds of real time may pass.
    assert all(abs((a - b).total_seconds()) < 5 for a, b in zip(*times, strict=True))
    assert first[0] == again[0]
    assert [e[:1] + e[2:] for e in first[1]] == [e[:1] + e[2:] for e in again[1]]
    assert first[0] != other[0]


async def test_serve_describes_and_ends_on_a_signal():
    lines, sandbox = [], Sandbox(cards=50)

    def write(line):
        lines.append(line)
        if "Ctrl-C" in line:
            os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(serve(sandbox, write=write), 5)
    text = "\n".join(lines)
    assert "export LINKSFIELD_PARTNER_CODE=P000270" in text
    assert "export LINKSFIELD_ENDPOINTS=http://127.0.0.1:" in text
    assert next(sandbox.world.iccids("suspended")) in text
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line_ends_cleanly(number):
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "linksfield_async.sandbox"]
    with subprocess.Popen(
        [*command, "--port", "0", "--cards", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline()
        while "Ctrl-C" not in process.stdout.readline():
            pass
        process.send_signal(number)
        _, errors_written = process.communicate(timeout=10)
    assert first.startswith("Sandbox of the Linksfield Topup/Mall APIs at http://127.0.0.1:")
    assert (process.returncode, errors_written) == (0, "")


def test_command_line_has_the_keywords_and_defaults_of_the_class():
    keywords = inspect.signature(Sandbox).parameters.values()
    defaults = {keyword.name: keyword.default for keyword in keywords}
    del defaults["notification_scheme"]  # an object, which no option can give
    assert vars(parser().parse_args([])) == {**defaults, "port": 8080}


def test_command_line_refuses_wrong_settings(capsys):
    assert main(["--host", "0.0.0.0"]) == 2
    assert "allow_any_host" in capsys.readouterr().err
