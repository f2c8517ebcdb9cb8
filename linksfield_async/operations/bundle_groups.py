"""Group operations and their results: SIMs in groups. Docs: Topup APIs, folder Bundle-groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..masking import mask_iccid
from ..operation import (
    ASSUMED,
    DOCUMENTED,
    Effect,
    Model,
    Operation,
    Service,
    declare,
    wire,
)


def several_iccids(given: Iterable[str]) -> tuple[str, ...]:
    """Keep a list of ICCIDs as it is now; refuse one text, which would be taken apart."""
    if isinstance(given, (str, bytes)):
        raise TypeError("iccids must be a list of ICCIDs, not one text")
    return tuple(given)


@declare
class Accepted(Model):
    """A group change that was accepted and runs in the background."""

    request_id: str = wire(
        "request_id", "handle for GetAsyncResult", evidence=ASSUMED, also_accept=("requestId",)
    )


@declare
class Bundle(Model):
    """A data plan of a group."""

    bundle_id: str | None = wire("bundle_id", "plan id", evidence=ASSUMED, default=None)
    bundle_name: str | None = wire("bundle_name", "plan name", evidence=ASSUMED, default=None)


@declare
class BundleGroup(Model):
    """A group of SIMs and its data plans."""

    group_id: str = wire("group_id", "group id", evidence=ASSUMED, also_accept=("groupId",))
    group_name: str | None = wire(
        "group_name", "name", evidence=ASSUMED, also_accept=("groupName",), default=None
    )
    bundles: tuple[Bundle, ...] = wire(
        "bundles", "data plans of the group", evidence=ASSUMED, default=()
    )


@declare
class SimResult(Model):
    """What became of one card in a group change."""

    iccid: str | None = wire("sim_id", "ICCID", evidence=ASSUMED, default=None, mask=mask_iccid)
    status: str | None = wire("status", "success or failed", evidence=ASSUMED, default=None)
    message: str | None = wire("message", "reason", evidence=ASSUMED, default=None)


@declare
class AsyncResult(Model):
    """How far a group change has come."""

    request_id: str | None = wire(
        "request_id", "echo", evidence=ASSUMED, also_accept=("requestId",), default=None
    )
    status: str = wire(
        "status", "open enum: pending, processing, success, partial, failed", evidence=ASSUMED
    )
    results: tuple[SimResult, ...] = wire(
        "results", "what became of each card", evidence=ASSUMED, default=()
    )


@declare
class AddSims(Operation[Accepted]):
    """Ask for SIMs to be added to a group; `GetAsyncResult` tells what came of it.

    The path is inferred from that of `RemoveSims`. The answer reports basic checks only, the
    work runs afterwards. The most ICCIDs that one call may carry is not documented.
    """

    service = Service.TOPUP
    path = "/mall/bundle-groups/{group_id}/sims"
    effect = Effect.ONCE
    title = "Add SIM Cards to a Specified Group"

    group_id: str = wire(
        "group_id", "path parameter: unique id of a SIM-plan group", evidence=ASSUMED
    )
    iccids: Sequence[str] = wire(
        "sim_ids", "list of ICCIDs", evidence=ASSUMED, mask=mask_iccid, converter=several_iccids
    )


@declare
class RemoveSims(Operation[Accepted]):
    """Ask for SIMs to be removed from a group; `GetAsyncResult` tells what came of it.

    A DELETE with its parameters in a JSON body. The answer reports basic checks only (format,
    permission), the work runs afterwards.
    """

    service = Service.TOPUP
    method = "DELETE"
    path = "/mall/bundle-groups/{group_id}/sims"
    effect = Effect.ONCE
    title = "Remove SIM Cards from a Specified Group"

    group_id: str = wire(
        "group_id",
        "path parameter: unique id of a SIM-plan group in the BBC system",
        evidence=DOCUMENTED,
    )
    iccids: Sequence[str] = wire(
        "sim_ids",
        "list of ICCIDs, in the JSON body",
        evidence=ASSUMED,
        mask=mask_iccid,
        converter=several_iccids,
    )


@declare
class ListGroupSims(Operation[tuple[str, ...]]):
    """List the ICCIDs in a group; whether long lists come in pages is not documented."""

    service = Service.TOPUP
    method = "GET"
    path = "/mall/bundle-groups/{group_id}/sims"
    effect = Effect.READ
    title = "Query SIM Card Numbers in a Specified Group"
    list_key = "sim_ids"
    entry_key = "sim_id"

    group_id: str = wire("group_id", "path parameter; must exist", evidence=DOCUMENTED)


@declare
class ListGroups(Operation[tuple[BundleGroup, ...]]):
    """List all groups with their data plans."""

    service = Service.TOPUP
    method = "GET"
    path = "/mall/bundle-groups/bundles"
    effect = Effect.READ
    title = "Query All Groups and Basic Data Plan Information"
    list_key = "groups"


@declare
class GetAsyncResult(Operation[AsyncResult]):
    """Get how far a group change has come and what became of each card.

    Status words, how long a result is kept and how often to ask are not documented.
    """

    service = Service.TOPUP
    method = "GET"
    path = "/async-result/{request_id}"
    effect = Effect.READ
    title = "Retrieve Asynchronous Operation Result"

    request_id: str = wire(
        "request_id", "path parameter: from AddSims or RemoveSims", evidence=DOCUMENTED
    )
