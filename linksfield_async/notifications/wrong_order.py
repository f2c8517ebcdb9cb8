"""Tells a program that its framework has read the body before the receiver could."""

from __future__ import annotations

from ..errors import ConfigurationError


def check_whole(found: int | None, declared: int | None) -> None:
    """Refuse a body that is shorter than declared although nothing broke off.

    `found` is None where nothing of it could be read at all.
    """
    if found is None or (declared is not None and found < declared):
        raise ConfigurationError(
            "the body was read or parsed before the receiver saw it: the signature is over its raw"
            " bytes, so let nothing (form parsing, JSON parsing, a middleware) read it first"
        )
