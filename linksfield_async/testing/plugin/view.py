"""A sandbox as other threads may use it: whatever is done with it is done in its own thread."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import attrs

from ...errors import ConfigurationError

T = TypeVar("T")

_ROOMS = "linksfield_async.sandbox"
_RUNS_BY_ITSELF = ("start", "close")


class Caller(Protocol):
    """What a view needs of the thread that the sandbox runs in."""

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function there, between two requests, and wait for what it gives."""
        ...

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run there."""
        ...


class View:
    """Stands for a sandbox, or a part of it such as its clock, in all threads but its own.

    Each attribute and each call is carried out whole in the sandbox's thread, between two
    requests: nothing is seen half done, and nothing is done twice. Parts come as views again;
    records (orders, requests, …) come as they are, to be looked at.
    """

    __slots__ = ("_caller", "_target")

    _caller: Caller
    _target: Any

    def __init__(self, target: object, caller: Caller) -> None:
        object.__setattr__(self, "_target", target)
        object.__setattr__(self, "_caller", caller)

    def __getattr__(self, name: str) -> Any:
        declared = inspect.getattr_static(type(self._target), name, None)
        if inspect.isfunction(declared):
            return self._method(name, declared)
        return self._shown(self._caller.call(getattr, self._target, name))

    def __setattr__(self, name: str, value: object) -> None:
        self._caller.call(setattr, self._target, name, value)

    def _method(self, name: str, declared: Callable[..., Any]) -> Callable[..., Any]:
        method = getattr(self._target, name)
        if not inspect.iscoroutinefunction(declared):

            @functools.wraps(method)
            def called(*args: Any, **kwargs: Any) -> Any:
                return self._shown(self._caller.call(method, *args, **kwargs))

            return called

        @functools.wraps(method)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            if name in _RUNS_BY_ITSELF:
                raise ConfigurationError(f"this sandbox needs no {name}(): its thread does that")
            work = self._caller.submit(method(*args, **kwargs))
            return self._shown(await asyncio.wrap_future(work))

        return awaited

    def _shown(self, value: Any) -> Any:
        return View(value, self._caller) if _is_part(value) else value

    def __len__(self) -> int:
        return self._caller.call(len, self._target)

    def __bool__(self) -> bool:
        return self._caller.call(bool, self._target)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._caller.call(list, self._target))

    def __getitem__(self, key: Any) -> Any:
        return self._shown(self._caller.call(lambda: self._target[key]))

    def __contains__(self, item: object) -> bool:
        return self._caller.call(lambda: item in self._target)

    def __eq__(self, other: object) -> bool:
        return self._target is (other._target if isinstance(other, View) else other)

    def __hash__(self) -> int:
        return hash(self._target)

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def __repr__(self) -> str:
        return self._caller.call(repr, self._target)


def _is_part(value: object) -> bool:
    """Tell what lives in the sandbox's thread from records, lists of them and plain values."""
    kind = type(value)
    if kind.__module__ != _ROOMS and not kind.__module__.startswith(f"{_ROOMS}."):
        return False
    return not (attrs.has(kind) or isinstance(value, (list, BaseException)))
