"""What may be concluded of a card from what a result says and what the group shows. Pure."""

from __future__ import annotations

from .parts import Part, Said, State
from .report import Verdict


def concluded(
    *, adding: bool, said: Said | None, is_member: bool | None
) -> tuple[Verdict | None, str]:
    """Give the verdict and its reason; None where the group may still come to show it.

    Where the group was not read, `is_member` is None and the result alone decides.
    """
    if is_member is None:
        if said is not None and said.done is not None:
            return ("done" if said.done else "refused"), said.reason
        return None, ""
    if is_member is adding:
        return "done", _why_done(said)
    if said is not None and said.done is False:
        return "refused", said.reason
    return None, ""


def _why_done(said: Said | None) -> str:
    if said is None:
        return "shown by the group, no result tells of it"
    if said.done is False:
        return f"refused ({said.reason}), but the group shows it as it should be"
    return said.reason


def why_unknown(part: Part, said: Said | None) -> str:
    """Say why nobody can tell what became of a card that the group does not show as it should."""
    shown = "the group does not show the change"
    if part.state is State.DOUBT:
        return f"the answer was lost, and {shown}: {part.note}"
    if part.state is State.GONE:
        return f"the service knows nothing of the request any more, and {shown}: {part.note}"
    if said is None:
        return f"missing from the result, and {shown}"
    if said.done:
        return f"the result says it is done, but {shown}"
    return f"{said.reason}, and {shown}"
