"""The blocking client; the only room that knows anyio."""

from .client import SyncClient

__all__ = ["SyncClient"]
