"""How long to wait before a repeat: full jitter, or what the server asked for, spread."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

FIRST = 0.2
LONGEST = 5.0
LONGEST_ASKED_FOR = 60.0
"""More than this is not believed of a Retry-After; seconds."""
SPREAD = 0.25
"""Part of a Retry-After by which waits differ, so that clients do not come back in step."""

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def before_repeat(repeat: int, random: Callable[[], float]) -> float:
    """Draw the pause before the first, second, … repeat: from 0 to a bound that doubles."""
    # The exponent is bounded as the result is: 2.0 ** 2000 would overflow.
    bound: float = FIRST * 2.0 ** min(repeat - 1, 30)
    return random() * min(LONGEST, bound)


def as_asked(seconds: float, random: Callable[[], float]) -> float:
    """Wait as long as the server asked, and up to a quarter more, never less."""
    return seconds * (1 + SPREAD * random())


def retry_after(header: str | None, now_ms: int) -> float | None:
    """Read a Retry-After: seconds or a date, within 0 to 60 s; None where it is neither."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_ASKED_FOR)
    try:
        moment = parsedate_to_datetime(text)
        # A date without a zone is taken as UTC, as HTTP dates are.
        seconds = moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds - now_ms / 1000, 0.0), LONGEST_ASKED_FOR)
