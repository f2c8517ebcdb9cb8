"""What the sandbox serves beside the service: explanations and the OpenAPI document."""

import json

from linksfield_async import Endpoints
from linksfield_async.openapi import openapi
from linksfield_async.sandbox.pages import MOST_EXPLAINED


async def explain(session, sandbox, content):
    async with session.post(f"{sandbox.url}/explain", data=content) as answer:
        return answer.status, await answer.json()


async def test_a_captured_request_is_explained(session, sandbox, call, card):
    params = call.params("/vshop/singleVerify", {}, {"deviceCode": card})
    wrong = params | {"url": ""}
    head = "POST /vshop/singleVerify HTTP/1.1\r\nHost: x\r\n\r\n"
    status, told = await explain(session, sandbox, head + json.dumps(wrong))
    assert status == 200
    assert (told["operation"], told["matches"]) == ("SingleVerify", False)
    assert told["differences"] == ["empty strings are left out"]
    _, told = await explain(session, sandbox, head + json.dumps(params))
    assert told["matches"] is True
    # Explaining is no request to the service.
    assert len(sandbox.requests) == 0


async def test_what_is_explained_is_what_is_accepted(session, sandbox, call, card):
    """The sign that an explanation gives is one that the check takes."""
    params = call.params("/vshop/singleVerify", {}, {"deviceCode": card, "sign": "x"})
    _, told = await explain(session, sandbox, json.dumps(params))
    reply = await call("/vshop/singleVerify", deviceCode=card, sign=told["sign"])
    assert reply.data["deviceCode"] == card


async def test_a_bad_capture_gets_a_clear_message(session, sandbox):
    status, told = await explain(session, sandbox, "hello")
    assert status == 400
    assert "give a request as HTTP text" in told["error"]
    status, told = await explain(session, sandbox, b" " * (MOST_EXPLAINED + 1))
    assert status == 413
    assert "linksfield sign --explain" in told["error"]
    headers = {"Content-Encoding": "gzip"}
    async with session.post(f"{sandbox.url}/explain", data=b"x", headers=headers) as answer:
        assert answer.status == 415


async def test_the_openapi_document(session, sandbox):
    async with session.get(f"{sandbox.url}/openapi.json") as answer:
        assert answer.status == 200
        document = await answer.json()
    assert document == openapi(Endpoints.at(sandbox.url))


async def test_a_foreign_host_gets_nothing(session, sandbox):
    """A name that is made to point here must not have long explanations made."""
    foreign = {"Host": "evil.example"}
    async with session.post(f"{sandbox.url}/explain", data="{}", headers=foreign) as answer:
        assert answer.status == 421
    async with session.get(f"{sandbox.url}/openapi.json", headers=foreign) as answer:
        assert answer.status == 421
