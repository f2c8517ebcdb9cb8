"""What is trusted: the machine's certificate authorities and, where given, those of a file."""

from __future__ import annotations

import ssl

from ..errors import ConfigurationError


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Read the certificates; blocks for tens of milliseconds, so not on an event loop."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"Options.ca_file holds no certificates: {error}") from error
    return context
