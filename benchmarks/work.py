"""The one POST that every contender makes, written by hand: no part of the package is used here."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from hashlib import md5
from typing import Any

import attrs

PATH = "/vshop/singleVerify"
PARTNER = "P000270"


@attrs.frozen
class Target:
    """Where to send, whom to trust, and how many calls may be under way at once."""

    url: str
    """The origin, without a path."""
    concurrency: int
    ca_file: str | None = None

    @property
    def endpoint(self) -> str:
        return self.url + PATH

    def tls(self) -> ssl.SSLContext | None:
        return None if self.ca_file is None else ssl.create_default_context(cafile=self.ca_file)


def cards(count: int) -> Iterator[str]:
    return (f"8985{number:015d}" for number in range(count))


def signed(iccid: str) -> dict[str, str]:
    """Give the parameters of a SingleVerify with their sign, as one writes it by hand."""
    params = {
        "deviceCode": iccid,
        "languageCode": "1",
        "mark": "0",
        "partnerCode": PARTNER,
        "terminal": "0",
        "tradeTime": str(int(time.time() * 1000)),
        "tradeType": "singleVerify",
        "version": "3.0",
    }
    text = json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    params["sign"] = md5(text.encode()).hexdigest()
    return params


def check(answer: Any) -> None:
    """What any caller does with an answer; SystemExit where a measurement would mean nothing."""
    if answer["operateCode"] != "S":
        raise SystemExit(f"the responder refused: {answer!r}")
