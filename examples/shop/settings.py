"""Everything the shop reads from its environment, once and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from linksfield_async import Account, ConfigurationError

PUSH_PATH = "/linksfield/push"


@attrs.frozen(kw_only=True)
class Settings:
    """The shop's settings; times in seconds."""

    account: Account | None = None
    """None: the shop starts a sandbox of its own."""
    database_url: str = "shop-data/shop.sqlite3"
    """A path for SQLite, or a postgresql:// URL."""
    host: str = "127.0.0.1"
    port: int = 8010
    sandbox_port: int = 8011
    """Of its own sandbox; fixed, since a checkout belongs to the address it was begun at."""
    stand_in: str | None = None
    """Address of a sandbox that plays Stripe's part in the browser; None: yours is plugged in."""
    notification_keys: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """By key id; without any, pushed messages are not taken."""
    quarantine: float = 900.0
    """How long a lost step may still be carried out, before asking can prove that it was not."""
    deadline: float = 20.0
    """Of one call to the service."""
    ask_every: float = 2.0
    """The shortest pause between two questions about one order."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read SHOP_… and, where the shop is to talk to a service, LINKSFIELD_…."""
        env = os.environ if environ is None else environ
        own_sandbox = not env.get("LINKSFIELD_PARTNER_CODE")
        found: dict[str, Any] = {
            name: read(env[key], key) for key, (name, read) in _SETTINGS.items() if env.get(key)
        }
        return cls(account=None if own_sandbox else Account.from_env(env), **found)

    @property
    def url(self) -> str:
        """Where the shop is reached from this machine."""
        return f"http://{self.host}:{self.port}"

    @property
    def is_postgres(self) -> bool:
        """Whether the database is PostgreSQL."""
        return self.database_url.startswith(("postgresql://", "postgres://"))

    @property
    def directory(self) -> Path:
        """Where the files of a shop with SQLite stand."""
        return Path(self.database_url).parent


def _text(text: str, _: str) -> str:
    return text


def _number(text: str, key: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise ConfigurationError(f"{key} must be a number of seconds, not {text!r}")
    return number


def _port(text: str, key: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{key} must be a port from 1 to 65535, not {text!r}")
    return int(text)


def _keys(text: str, key: str) -> dict[str, str]:
    """Read `id=value,id=value`; a message never holds the value of a key."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(key_id.strip() and value for key_id, _, value in pairs):
        raise ConfigurationError(f"{key} must be id=value, divided by commas")
    return {key_id.strip(): value for key_id, _, value in pairs}


_SETTINGS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "SHOP_DATABASE_URL": ("database_url", _text),
    "SHOP_HOST": ("host", _text),
    "SHOP_PORT": ("port", _port),
    "SHOP_SANDBOX_PORT": ("sandbox_port", _port),
    "SHOP_STRIPE_STAND_IN": ("stand_in", _text),
    "SHOP_NOTIFICATION_KEYS": ("notification_keys", _keys),
    "SHOP_QUARANTINE": ("quarantine", _number),
    "SHOP_DEADLINE": ("deadline", _number),
    "SHOP_ASK_EVERY": ("ask_every", _number),
}
