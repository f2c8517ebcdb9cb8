"""Whether a listing says of itself that it is not all. A card that it leaves out is not absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import BadAnswer

# Nothing is published about pages; these are usual names, compared without case and underscores.
_TOTALS = frozenset({"total", "totalcount", "totalelements", "totalsize", "totalrecords"})
_COUNTS_OF_PAGES = frozenset({"totalpages", "totalpage", "pagecount", "pages"})
_MORE = frozenset({"hasmore", "hasnext", "hasnextpage", "truncated", "istruncated"})
_NEXT = frozenset({"next", "nextpage", "nextcursor", "nexttoken", "nextpagetoken"})


def check_is_all(raw: Any, listed: int) -> None:
    """Raise BadAnswer where an answer with so many cards tells of others."""
    for name, value in _facts(raw):
        kind = name.replace("_", "").lower()
        number = isinstance(value, int) and not isinstance(value, bool)
        if (
            (kind in _TOTALS and number and value > listed)
            or (kind in _COUNTS_OF_PAGES and number and value > 1)
            or (kind in _MORE and value is True)
            or (kind in _NEXT and value not in (None, "", False, 0))
        ):
            raise BadAnswer(
                f"the group lists {listed} cards and says by {name!r} that there are more: how its "
                "pages are asked for is not documented, so nothing can be concluded"
            )


def _facts(raw: Any) -> Iterator[tuple[str, Any]]:
    """Give what stands beside the list, in the answer and in its `data`."""
    if isinstance(raw, dict):
        yield from raw.items()
        if isinstance(raw.get("data"), dict):
            yield from raw["data"].items()
