from __future__ import annotations

import pytest
from pushes import KEY

from linksfield_async.errors import BadSignature, ConfigurationError, MalformedNotification
from linksfield_async.notifications import SignatureScheme
from linksfield_async.notifications.learning import schemes
from linksfield_async.notifications.signature import decoded_keys, read_stamp


def test_a_scheme_is_written_and_read() -> None:
    for scheme in schemes(("", "\n", ",", "&", "--", "::")):
        assert SignatureScheme.parse(str(scheme)) == scheme
    assert SignatureScheme.parse("") == SignatureScheme()
    assert str(SignatureScheme(join="\n")) == "order=body-first,join=newline,key=text,output=hex"


@pytest.mark.parametrize(
    "text",
    ["order", "order=x", "colour=red", "key=hex,key=hex", "output=HEX", "join=a,b", "join=é"],
)
def test_what_is_no_scheme(text: str) -> None:
    with pytest.raises(ConfigurationError):
        SignatureScheme.parse(text)


def test_joins_that_could_not_be_read_again_are_refused() -> None:
    for join in ("newline", "a b", "x,y", " \n"):
        with pytest.raises(ConfigurationError):
            SignatureScheme(join=join)


def test_a_key_that_cannot_be_decoded_is_not_shown() -> None:
    for decoding in ("hex", "base64"):
        with pytest.raises(ConfigurationError) as caught:
            decoded_keys({"k": "zz-secret"}, SignatureScheme(key=decoding))  # type: ignore[arg-type]
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert decoded_keys({"k": b"\x00"}, SignatureScheme()) == {"k": (b"\x00",)}
    assert decoded_keys({"k": [KEY, "00"]}, SignatureScheme(key="hex")) == {
        "k": (b"\x5e\xc7\xe7", b"\x00")
    }


def test_no_signature_headers_at_all() -> None:
    assert read_stamp([("content-type", "application/json")]) is None
    with pytest.raises(BadSignature, match="missing"):
        read_stamp([("x-lf-algo", "HMAC-SHA1")])
    with pytest.raises(MalformedNotification, match="twice"):
        read_stamp([("X-LF-Algo", "a"), ("x-lf-algo", "a")])


def test_a_signature_in_base64_may_hold_slashes() -> None:
    stamp = read_stamp(
        {
            "x-lf-notification-version": "1.0",
            "x-lf-algo": "HMAC-SHA1",
            "x-lf-timestamp": "1",
            "x-lf-signature": "key-1/a/b+c=",
        }
    )
    assert stamp is not None
    assert (stamp.key_id, stamp.signature) == ("key-1", "a/b+c=")
    assert "a/b+c=" not in repr(stamp)
