"""Hooks for schemathesis: sign what it makes up, and judge what the sandbox answers.

Run by `nox -s fuzz`. Each request is signed with a signer of its own; with LINKSFIELD_FUZZ_UNSIGNED
set none is, and each must then be refused for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any
from urllib.parse import unquote

import schemathesis

UNSIGNED = bool(os.environ.get("LINKSFIELD_FUZZ_UNSIGNED"))
CARDS = os.environ.get("LINKSFIELD_FUZZ_CARDS", "").split(",")
_SEGMENT = re.compile(r"\{(\w+)\}")


def sign(params: dict[str, Any]) -> str:
    kept = {name: value for name, value in params.items() if value is not None and name != "sign"}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.md5(text.encode("utf-8", "surrogatepass")).hexdigest()


def made_plausible(params: dict[str, Any]) -> None:
    """Give some requests a card and a partner that exist, so that more than checks is reached."""
    for name in ("deviceCode", "sim_id"):
        if isinstance(params.get(name), str) and CARDS[0]:
            params[name] = CARDS[len(params[name]) % len(CARDS)]
    if isinstance(params.get("partnerCode"), str) and params["partnerCode"]:
        params["partnerCode"] = "P000270"
    if isinstance(params.get("orderPeriod"), str) and params["orderPeriod"]:
        params["orderPeriod"] = "1"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    query = case.method.upper() == "GET"
    params = case.query if query else case.body
    if not isinstance(params, dict):
        return
    made_plausible(params)
    if UNSIGNED:
        params.pop("sign", None)
        return
    in_path = {name: case.path_parameters.get(name) for name in _SEGMENT.findall(case.path)}
    texts = {name: unquote(str(value)) for name, value in in_path.items()}
    sent = {name: str(value) if query else value for name, value in params.items()}
    if "sign" in params:
        params["sign"] = sign({**texts, **sent})


@schemathesis.check
def refused_without_a_sign(context: Any, response: Any, case: Any) -> None:
    """Refuse every request without a sign, and say so."""
    if UNSIGNED and response.status_code == 200:
        raise AssertionError("a request without a sign was carried out")


@schemathesis.check
def success_is_told_as_success(context: Any, response: Any, case: Any) -> None:
    """Answer 200 with success alone: this sandbox refuses with 400."""
    told = response.json()
    if response.status_code == 200 and told.get("operateCode", "S") != "S":
        raise AssertionError(f"a refusal with HTTP 200: {told}")
