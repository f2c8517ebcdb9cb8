"""The sandbox's own check of signatures; shares no code with the package's signer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from .answers import Refusal


def signed_text(parameters: Mapping[str, object]) -> str:
    """Give the text that is signed: sorted, compact, without `sign` and nulls."""
    taking_part = {
        name: value for name, value in parameters.items() if value is not None and name != "sign"
    }
    return json.dumps(taking_part, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def signature_of(text: str) -> str:
    """Give the signature of a text: lower-case hex MD5 of its UTF-8 bytes."""
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def check_signature(parameters: Mapping[str, object]) -> None:
    """Refuse a missing or wrong `sign`; the refusal shows the text that should be signed."""
    given = parameters.get("sign")
    if not isinstance(given, str) or not given:
        raise Refusal("sign is missing", outcome="no sign")
    try:
        text = signed_text(parameters)
        expected = signature_of(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("the parameters cannot be written as UTF-8 JSON") from error
    if given != expected:
        raise Refusal(
            "sign is wrong",
            outcome="bad sign",
            more={"expected_text": text, "expected_sign": expected, "given_sign": given},
        )
