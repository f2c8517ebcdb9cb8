"""The signature once more, written from its rule alone: shares nothing with the package."""

from __future__ import annotations

import hashlib
from typing import Any

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def reference_text(value: Any) -> str:
    if isinstance(value, str):
        return (
            '"'
            + "".join(_SHORT.get(c) or (c if c >= " " else f"\\u{ord(c):04x}") for c in value)
            + '"'
        )
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{reference_text(k)}:{reference_text(value[k])}" for k in sorted(value))
            + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(reference_text, value)) + "]"
    return (
        {True: "true", False: "false", None: "null"}[value]
        if value is None or isinstance(value, bool)
        else str(value)
    )


def reference_sign(params: dict[str, Any]) -> str:
    taking_part = {k: v for k, v in params.items() if k != "sign" and v is not None}
    return hashlib.md5(reference_text(taking_part).encode(), usedforsecurity=False).hexdigest()
