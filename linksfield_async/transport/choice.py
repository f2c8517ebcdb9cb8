"""Which transport a client uses: the direct one where the installed aiohttp bears it."""

from __future__ import annotations

import logging
import threading

from ..errors import ConfigurationError
from ..options import Options
from .base import OwnTransport
from .fitness import unfit_reason
from .session import SessionTransport

_log = logging.getLogger("linksfield_async")
_said: set[str] = set()
_guard = threading.Lock()


def transport_for(options: Options) -> OwnTransport:
    """Make the transport that the options ask for, or the best one for `auto`."""
    if options.transport == "session":
        return SessionTransport(options)
    reason = unfit_reason()
    if reason is None:
        # Imported here: where aiohttp is built otherwise, the import itself may fail.
        from .direct import DirectTransport  # noqa: PLC0415

        return DirectTransport(options)
    if options.transport == "direct":
        raise ConfigurationError(f"Options.transport='direct' cannot be used: {reason}")
    _say_once(reason)
    return SessionTransport(options)


def _say_once(reason: str) -> None:
    with _guard:
        if reason in _said:
            return
        _said.add(reason)
    _log.warning("requests cost more CPU than they need to: %s; said once", reason)
