from __future__ import annotations

import json

import pytest
from pushes import KEY_ID, signed

from linksfield_async.errors import BadSignature, ConfigurationError, MalformedNotification
from linksfield_async.notifications import SignatureScheme, learn
from linksfield_async.notifications.learning import Capture

ANY_KEY = "5ec7e7ab12345678"
SCHEME = SignatureScheme(order="stamp-first", join="\n", key="base64", output="upper-hex")


def test_the_scheme_is_found() -> None:
    body, headers = signed(key=ANY_KEY, scheme=SCHEME)
    assert learn(headers, body, ANY_KEY).fitting == (SCHEME,)
    assert learn(headers, body, "another").fitting == ()
    odd = SignatureScheme(join="::")
    body, headers = signed(key=ANY_KEY, scheme=odd)
    assert learn(headers, body, ANY_KEY).fitting == ()
    assert learn(headers, body, ANY_KEY, joins=["::"]).fitting == (odd,)


def test_what_cannot_be_learnt_from() -> None:
    body, headers = signed()
    with pytest.raises(BadSignature):
        learn([], body, ANY_KEY)
    with pytest.raises(MalformedNotification):
        learn(headers, b"[]", ANY_KEY)
    with pytest.raises(MalformedNotification, match="algorithm"):
        learn([*headers[:1], ("x-lf-algo", "MD5"), *headers[2:]], body, ANY_KEY)


def test_captures_in_each_form() -> None:
    body, headers = signed({"text": "中"}, key=ANY_KEY, scheme=SCHEME)
    lines = [f"{name}: {value}" for name, value in headers]
    request = "\r\n".join(["POST /push?a=b:c HTTP/1.1", "Host: x", *lines, "", ""]).encode() + body
    unix = "\n".join([*lines, "", ""]).encode() + body + b"\n"
    as_json = json.dumps({"headers": dict(headers), "body": body.decode()}).encode()
    pairs = json.dumps({"headers": headers, "body": body.decode()}).encode()
    written = Capture(tuple(headers), body).written()
    for content in (request, unix, as_json, pairs, written):
        capture = Capture.read(content)
        assert learn(capture.headers, capture.body, ANY_KEY).fitting == (SCHEME,)
    assert KEY_ID not in repr(Capture.read(written))


@pytest.mark.parametrize(
    "content", [b"", b"no empty line", b'{"headers": {}}', b"{", b'{"body":1}']
)
def test_what_is_no_capture(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Capture.read(content)
