"""What people capture in real life, read into a request; and what is wrong with what cannot be."""

import json

import pytest

from linksfield_async.errors import ConfigurationError
from linksfield_async.sandbox.capture import _shell_words, read_capture

BODY = '{"deviceCode":"8952","area":"欧洲","sign":"x"}'
SIZE = len(BODY.encode())

HTTP = f"""POST /vshop/singleVerify HTTP/1.1\r
Host: wx.linksfield.net\r
Content-Type: application/json\r
Content-Length: {SIZE}\r
\r
{BODY}"""

VERBOSE = f"""*   Trying 127.0.0.1:8080...
* Connected to 127.0.0.1 (127.0.0.1) port 8080 (#0)
> POST /vshop/singleVerify HTTP/1.1
> Host: 127.0.0.1:8080
> Content-Type: application/json
> Content-Length: {SIZE}
>
{BODY}
}} [{SIZE} bytes data]
* upload completely sent off
< HTTP/1.1 400 Bad Request
< Content-Type: application/json
<
{{"operateCode":"F"}}
"""

TRACE = f"""== Info: Connected to 127.0.0.1 (127.0.0.1) port 8080 (#0)
=> Send header, 120 bytes (0x78)
0000: POST /vshop/singleVerify HTTP/1.1
0023: Host: 127.0.0.1:8080
0000:
=> Send data, {SIZE} bytes
0000: {BODY[:20]}
0014: {BODY[20:]}
== Info: upload completely sent off
<= Recv header, 22 bytes
0000: HTTP/1.1 400 Bad Request
<= Recv data, 20 bytes
0000: {{"operateCode":"F"}}
"""

COMMAND = f"""curl 'http://127.0.0.1:8080/vshop/singleVerify' \\
  -H 'Content-Type: application/json' \\
  --compressed --data-raw '{BODY}'"""

CHUNKED = f"""POST /vshop/singleVerify HTTP/1.1
Transfer-Encoding: chunked

5\r\n{BODY[:5]}\r\n{SIZE - 5:x}\r\n{BODY[5:]}\r\n0\r\n\r\n"""

JOINED = CHUNKED.partition("\n\n")[0] + "\n\n" + BODY
HTTP2 = HTTP.replace("Host:", ":authority: a\r\nHost:")
AS_JSON = json.dumps({"method": "post", "url": "/vshop/singleVerify", "body": BODY})


@pytest.mark.parametrize(
    "text",
    [
        *(HTTP, HTTP.replace("\r\n", "\n"), HTTP + "\n", "\ufeff" + HTTP, HTTP2),
        *(VERBOSE, TRACE, COMMAND, CHUNKED, JOINED, AS_JSON),
    ],
)
def test_a_request_is_read(text):
    read = read_capture(text.encode())
    assert read.method == "POST"
    assert read.path == "/vshop/singleVerify"
    assert read.body == BODY


def test_a_body_may_be_an_object():
    read = read_capture(b'{"path": "/vshop/singleVerify", "body": {"a": "1"}, "access_code": "c"}')
    assert (read.method, read.body, read.access_code) == ("POST", {"a": "1"}, "c")


@pytest.mark.parametrize(
    "text",
    [
        "GET /topup/mall/order?sim_id=1&a=%2F HTTP/1.1\nHost: x\n\n",
        "https://wx.linksfield.net/topup/mall/order?sim_id=1&a=%2F\n",
        "curl 'https://wx.linksfield.net/topup/mall/order?sim_id=1&a=%2F'",
        "> GET /topup/mall/order?sim_id=1&a=%2F HTTP/2\n> Host: x\n>\n",
        '{"method": "GET", "url": "https://h/topup/mall/order?sim_id=1&a=%2F"}',
    ],
)
def test_a_query_is_read(text):
    read = read_capture(text.encode())
    assert (read.method, read.path) == ("GET", "/topup/mall/order")
    assert read.query == "sim_id=1&a=%2F"


def test_parameters_alone_are_no_request():
    # An operation has a parameter of that name.
    params = {"url": "https://shop.example/login", "deviceCode": "1", "version": "3.0"}
    assert read_capture(json.dumps(params).encode()).body == params
    assert read_capture(json.dumps(params).encode()).method is None
    odd = {"url": "x", "body": "a parameter", "sign": "y"}
    assert read_capture(json.dumps(odd).encode()).body == odd


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello", "no request that can be read: give a request as HTTP text"),
        (b"", "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": "欧洲"}'.encode("gbk"), "it reads as GBK"),
        ('{"a": "1"}'.encode("utf-16"), "it is UTF-16"),
        (b"POST /x HTTP/1.1\nHost: x\n", "shows no body: add it after an empty line"),
        (b'POST /x HTTP/1.1\n{"a": 1}', "line 2 is no header"),
        (b"POST /x HTTP/1.1\nthis is no header\n\n{}", "line 2 is no header"),
        (b'POST /x HTTP/1.1\nContent-Length: 90\n\n{"a":"1"}', "cut off: 9 bytes of the 90"),
        (b"POST /x HTTP/1.1\nContent-Encoding: gzip\n\nx", "compressed: capture it before"),
        (b"curl -X POST -d '{}'", "names no address"),
        (b"curl 'http://x", "cannot be read"),
        (b"curl http://x -d @body.json", "in the file 'body.json'"),
        (b"* Trying\n> Host: x\n", "no request line"),
        (b'{"method": 5, "url": "/x", "body": {}}', "must be texts"),
        (b'{"url": "/x", "headers": []}', "headers of a captured request"),
        (b'{"url": "/x", "headers": {"a": 1}}', "headers of a captured request"),
        (b'{"url": "/x", "body": 5}', "body of a captured request"),
        (b'{"url": "/x", "body": {}, "access_code": 5}', "access_code must be text"),
    ],
)
def test_what_cannot_be_read_says_why(content, told):
    with pytest.raises(ConfigurationError) as caught:
        read_capture(content)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "GET http://[::1 HTTP/1.1\n\n",
        "curl http://[::1/",
        "http://[x",
        '{"method":"GET","url":"http://[x"}',
    ],
)
def test_a_broken_address_is_told(content):
    with pytest.raises(ConfigurationError, match="the address cannot be read: Invalid IPv6 URL"):
        assert read_capture(content.encode()).path


def test_a_content_length_of_thousands_of_digits():
    with pytest.raises(ConfigurationError, match="the body is cut off: 2 bytes of the 9999999"):
        read_capture(f"POST /a HTTP/1.1\nContent-Length: {'9' * 5000}\n\n{{}}".encode())


def test_large_captures_take_no_minutes():
    body = json.dumps({"sim_ids": ["8985" + "1" * 15] * 150_000})
    assert read_capture(f"curl -d '{body}' http://127.0.0.1/a".encode()).body == body
    chunks = "".join(f"1\n{one}\n" for one in body[:500_000])
    request = f"POST /a HTTP/1.1\nTransfer-Encoding: chunked\n\n{chunks}0\n\n"
    assert read_capture(request.encode()).body == body[:500_000]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"""curl -d 'a "b"'"c\"d\e" \'x """, ['a "b"c"d\\e', "'x"]),
        ("curl -d '' http://x", ["", "http://x"]),
    ],
)
def test_quotations_are_read_as_a_shell_reads_them(text, words):
    assert list(_shell_words(text))[2:] == words
