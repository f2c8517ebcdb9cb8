"""The world as JSON: versioned, taken out whole and put in whole, agenda included.

Not part of it: the request log, faults, the group service's behaviour for jobs to come, and
functions that were put on the clock's agenda with `at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_unstructure_fn
from cattrs.preconf.json import make_converter

from ..errors import ConfigurationError
from ..masking import one_line
from .clock import Planned
from .ids import SavedIds
from .ledger import Ledger
from .plans import Plan, plan_of
from .records import (
    Group,
    Job,
    Message,
    NeedlessChange,
    Order,
    Payment,
    PaymentMethod,
    Setup,
    Subscription,
)
from .world import World

FORMAT = "linksfield-sandbox"
VERSION = 1

_MADE_WITH = ("cards", "seed", "partner_code")
_PARTS: Mapping[str, Any] = {
    "now": datetime,
    "ids": SavedIds,
    "orders": list[Order],
    "payments": list[Payment],
    "methods": list[PaymentMethod],
    "setups": list[Setup],
    "subscriptions": list[Subscription],
    "groups": list[Group],
    "jobs": list[Job],
    "messages": list[Message],
    "needless": list[NeedlessChange],
    "suspended": list[str],
    "agenda": list[Planned],
}


def made_with(state: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of the sandbox that a state was taken from; refuse what is no state."""
    if not isinstance(state, Mapping) or state.get("format") != FORMAT:
        raise ConfigurationError("this is no saved state of a sandbox")
    if state.get("version") != VERSION:
        raise ConfigurationError(
            f"the state has version {one_line(str(state.get('version')))}; only {VERSION} is read"
        )
    settings = state.get("settings")
    if not isinstance(settings, dict) or set(settings) != set(_MADE_WITH):
        raise ConfigurationError("the state does not say what sandbox it was taken from")
    return dict(settings)


def export_state(world: World) -> dict[str, Any]:
    """Give all that the world holds, ready for JSON."""
    ledger = world.ledger
    writing = _Writing(ledger)
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": _settings(world),
        "now": world.clock.now().isoformat(),
        "ids": writing.part(world.ids.saved()),
        "orders": [writing.whole(order) for order in world.orders],
        "payments": [writing.whole(payment) for payment in ledger.payments],
        "methods": [writing.whole(method) for method in ledger.methods.values()],
        "setups": [writing.part(setup) for setup in ledger.setups],
        "subscriptions": [writing.part(one) for one in ledger.subscriptions],
        "groups": [writing.whole(group) for group in world.groups.values()],
        "jobs": [writing.part(job) for job in world.jobs.values()],
        "messages": [writing.part(one) for one in world.messages.values()],
        "needless": [writing.part(change) for change in world.needless_changes()],
        "suspended": sorted(world.suspended),
        "agenda": [[when.isoformat(), kind, key] for when, kind, key in world.clock.planned()],
    }


def import_state(world: World, state: Mapping[str, Any]) -> None:
    """Put a saved state in place of all that the world holds; refused, it changes nothing."""
    settings = made_with(state)
    for name, value in _settings(world).items():
        if settings[name] != value:
            raise ConfigurationError(
                f"the state is of a sandbox with {name}={settings[name]!r}, not {value!r}"
            )
    parts = _read(state)
    _check_agenda(world, parts)
    _put(world, parts)


def _check_agenda(world: World, parts: Mapping[str, Any]) -> None:
    keys = {
        "renewal": {subscription.sub_id for subscription in parts["subscriptions"]},
        "job": {job.request_id for job in parts["jobs"]},
    }
    for _, kind, key in parts["agenda"]:
        if not world.clock.knows(kind):
            raise ConfigurationError(f"the state's agenda has something unknown: {one_line(kind)}")
        if kind in keys and key not in keys[kind]:
            raise ConfigurationError(f"the state's agenda has an unknown {kind}: {one_line(key)}")


def _settings(world: World) -> dict[str, Any]:
    return {"cards": len(world.cards), "seed": world.seed, "partner_code": world.partner_code}


class _Writing:
    """Writes records; those that stand in others are written as their ids."""

    def __init__(self, ledger: Ledger) -> None:
        places = {id(payment): place for place, payment in enumerate(ledger.payments)}
        converter = self._converter = make_converter()
        converter.register_unstructure_hook(Plan, lambda plan: plan.code)
        self._whole: dict[type[Any], Any] = {}
        for kind in (Order, Payment, PaymentMethod, Group):
            declared: Any = kind
            attrs.resolve_types(declared)
        converter.register_unstructure_hook(Order, lambda order: order.number)
        converter.register_unstructure_hook(PaymentMethod, lambda method: method.pm_id)
        for declared in (Order, PaymentMethod, Payment, Group):
            self._whole[declared] = make_dict_unstructure_fn(declared, converter)
        converter.register_unstructure_hook(Payment, lambda payment: places[id(payment)])
        converter.register_unstructure_hook(Group, lambda group: group.group_id)

    def whole(self, record: Any) -> Any:
        """Write a record that others point to."""
        written = self._whole[type(record)](record)
        if isinstance(record, Group):
            # What is under way follows from the jobs.
            written.pop("_coming")
        return written

    def part(self, record: Any) -> Any:
        """Write a record that nothing points to."""
        return self._converter.unstructure(record)


def _read(state: Mapping[str, Any]) -> dict[str, Any]:
    """Read every part; records that point to others are read after those."""
    parts: dict[str, Any] = {}
    converter = make_converter(forbid_extra_keys=True)
    converter.register_structure_hook(Plan, lambda code, _: _need(plan_of(code)))
    converter.register_structure_hook(datetime, lambda text, _: _moment(text))
    for name, kind in _PARTS.items():
        try:
            parts[name] = converter.structure(state[name], kind)
            _refer(converter, name, parts[name])
        except KeyError as error:
            raise ConfigurationError(f"the state lacks {name} or what it points to") from error
        except (BaseValidationError, ValueError, TypeError, IndexError, AttributeError) as error:
            why = "; ".join(transform_error(error, name)[:3]) if _told(error) else str(error)
            raise ConfigurationError(f"the state is broken: {one_line(why)}") from error
    return parts


def _told(error: Exception) -> bool:
    return isinstance(error, BaseValidationError)


def _need(plan: Plan | None) -> Plan:
    if plan is None:
        raise ValueError("a plan is unknown")
    return plan


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time has no time zone")
    return moment


def _refer(converter: Converter, name: str, records: Any) -> None:
    """From now on a record that was read may be pointed to."""
    if name == "orders":
        orders = {order.number: order for order in records}
        converter.register_structure_hook(Order, lambda number, _: orders[number])
    elif name == "methods":
        methods = {method.pm_id: method for method in records}
        converter.register_structure_hook(PaymentMethod, lambda pm_id, _: methods[pm_id])
    elif name == "payments":
        payments = tuple(records)
        converter.register_structure_hook(Payment, lambda place, _: payments[place])
    elif name == "groups":
        groups = {group.group_id: group for group in records}
        converter.register_structure_hook(Group, lambda group_id, _: groups[group_id])


def _put(world: World, parts: Mapping[str, Any]) -> None:
    world.ids.restore(parts["ids"])
    # Emptied and not replaced: others may have asked to be told of what is paid.
    world.orders.clear()
    world.ledger = Ledger()
    for order in parts["orders"]:
        world.orders.add(order)
    for payment in parts["payments"]:
        world.ledger.add_payment(payment)
    world.ledger.methods.update((method.pm_id, method) for method in parts["methods"])
    for setup in parts["setups"]:
        world.ledger.add_setup(setup)
    for subscription in parts["subscriptions"]:
        world.ledger.add_subscription(subscription)
    world.groups = {group.group_id: group for group in parts["groups"]}
    world.jobs = {job.request_id: job for job in parts["jobs"]}
    for job in world.jobs.values():
        if job.outcomes is None:
            for iccid in job.iccids:
                job.group.announce(iccid, adding=job.adding)
    world.messages = {one.event: one for one in parts["messages"]}
    world.suspended = set(parts["suspended"])
    world.replace_needless(parts["needless"])
    world.clock.restore(parts["now"], parts["agenda"])
