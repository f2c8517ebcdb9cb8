"""Routes, and bodies that nobody sane would send."""

import asyncio
import gzip
import io
import json
from pathlib import Path

import pytest

from linksfield_async.sandbox import Sandbox

CONTRACT = json.loads(
    (Path(__file__).parents[1] / "contract" / "operations.json").read_text(encoding="utf-8")
)["operations"]
VERIFY = "/vshop/singleVerify"


@pytest.mark.parametrize("operation", CONTRACT, ids=lambda operation: operation["name"])
async def test_every_operation_of_the_contract_stands_on_its_route(call, operation):
    path = f"/{operation['service']}{operation['path']}".format(group_id="G1", request_id="R1")
    reply = await call(path, http=operation["http"], sign="0" * 32)
    assert reply.refusal == "sign is wrong"
    assert call.sandbox.requests[-1].operation == operation["name"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/singleVerify",
        "/payment/singleVerify",
        "/vshop_uat/singleVerify",
        "/vshop/singleverify",
        "/vshop/singleVerify/",
        "/vshop//singleVerify",
        "/topup/mall/bundle-groups//sims",
        "/topup/mall/bundle-groups/G1/sims/x",
        "/topup/mall/async-result/R1",
        "/topup/async-result/",
        "/topup/async-result/%FF",
        "/stripe/nothing",
    ],
)
async def test_unknown_paths(call, path):
    reply = await call(path)
    assert reply.status == 404
    assert reply.body["operateCode"] == "F"
    assert call.sandbox.requests[-1].outcome == "no such path"


@pytest.mark.parametrize(
    ("http", "path", "allowed"),
    [
        ("GET", VERIFY, "POST"),
        ("PUT", VERIFY, "POST"),
        ("POST", "/topup/mall/bundle-groups/bundles", "GET"),
        ("PUT", "/topup/mall/bundle-groups/G1/sims", "POST, DELETE, GET"),
        ("DELETE", "/topup/mall/order", "GET"),
        ("OPTIONS", VERIFY, "POST"),
        ("TRACE", VERIFY, "POST"),
    ],
)
async def test_wrong_methods(call, http, path, allowed):
    reply = await call(path, http=http)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)
    assert call.sandbox.requests[-1].outcome == "wrong method"


async def test_escaped_path_parameter_is_one_segment(call):
    group = "a/b 欧"
    reply = await call(
        "/topup/mall/bundle-groups/a%2Fb%20%E6%AC%A7/sims", http="GET", in_path={"group_id": group}
    )
    assert reply.refusal == "group_id is unknown"
    assert call.sandbox.requests[-1].params["group_id"] == group


HOSTILE = {
    "empty": b"",
    "not JSON": b"deviceCode=1",
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":"b"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"a":"b"}',
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "number": b"5",
    "two objects": b"{}{}",
    "duplicate key": b'{"a":"1","a":"2"}',
    "duplicate key within": b'{"a":{"b":"1","b":"1"}}',
    "NaN": b'{"a":NaN}',
    "endless number": b'{"a":' + b"9" * 5_000 + b"}",
    "deep lists": b'{"a":' + b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "nul": b"\x00" * 100,
}


OBJECT = "the body must be a JSON object"
TWICE = "a parameter is given twice"
REASONS = {
    "list": OBJECT,
    "text": OBJECT,
    "null": OBJECT,
    "number": OBJECT,
    "duplicate key": TWICE,
    "duplicate key within": TWICE,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bodies_are_refused(call, name):
    for path in (VERIFY, "/stripe/payment_intents/complete"):
        reply = await call.raw("POST", path, data=HOSTILE[name])
        assert reply.status == 400
        assert reply.body["operateCode"] == "F"
        outcome = call.sandbox.requests[-1].outcome
        assert outcome == f"refused: {REASONS.get(name, 'the body is not readable JSON')}"


@pytest.mark.parametrize("depth", [500, 700, 900, 950, 980, 990])
async def test_depths_near_the_limit_are_refused(call, depth):
    body = b'{"sign":"x","a":' + b"[" * depth + b"]" * depth + b"}"
    assert (await call.raw("POST", VERIFY, data=body)).refusal


@pytest.mark.parametrize(
    "query", ["a=1&a=1", "a=%FF", "&".join(f"a{i}=1" for i in range(1_001)), "sign", "=&==", "%"]
)
async def test_hostile_queries_are_refused(call, query):
    reply = await call.raw("GET", f"/topup/mall/order?{query}")
    assert reply.refusal


async def test_large_bodies(call, card):
    reply = await call.raw("POST", VERIFY, data=io.BytesIO(b" " * 10_000_000))
    assert reply.status == 413
    assert reply.body["data"]["message"] == "the body has more than 4194304 bytes"
    record = call.sandbox.requests[-1]
    assert (record.outcome, record.body, record.params) == ("body too large", b"", {})
    assert (await call(VERIFY, deviceCode=card)).data
    many = [f"8985{number:016d}" for number in range(150_000)]
    reply = await call(
        "/topup/mall/bundle-groups/G1001/sims", in_path={"group_id": "G1001"}, sim_ids=many
    )
    assert reply.data["request_id"]


async def test_compressed_bodies_are_refused_unread(call, card):
    body = gzip.compress(json.dumps(call.params(VERIFY, {}, {"deviceCode": card})).encode())
    for data in (body, b"no gzip", gzip.compress(b" " * 50_000_000)):
        reply = await call.raw("POST", VERIFY, data=data, headers={"Content-Encoding": "gzip"})
        assert reply.status == 415
        assert reply.body["data"]["message"] == "compressed bodies are not read"


async def test_expect_continue(call, card):
    body = json.dumps(call.params(VERIFY, {}, {"deviceCode": card})).encode()
    reply = await call.raw("POST", VERIFY, data=body, expect100=True)
    assert reply.data["deviceCode"] == card


@pytest.mark.parametrize(
    "request_text",
    [
        b"nonsense\r\n\r\n",
        b"GET http://other.example/vshop/singleVerify HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /topup/mall/order?a=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /vshop/singleVerify HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /vshop/singleVerify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    ],
)
async def test_hostile_requests_never_break_it(sandbox, request_text):
    port = int(sandbox.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_text)
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    assert 400 <= status < 500


async def test_a_client_that_leaves_early_does_no_harm(call, card, until, caplog):
    port = int(call.sandbox.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /vshop/singleVerify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await until(lambda: call.sandbox.requests)
    assert call.sandbox.requests[0].outcome == "broken body"
    assert (await call(VERIFY, deviceCode=card)).data
    assert not caplog.records


async def test_accented_query_values_keep_their_meaning(caller_of):
    async with Sandbox(cards=20) as sandbox:
        call = caller_of(sandbox)
        reply = await call("/topup/mall/order", http="GET", order_id="a b+c/ü&=欧")
        assert reply.data is None
        assert sandbox.requests[-1].params["order_id"] == "a b+c/ü&=欧"
