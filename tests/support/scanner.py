"""Looks for what is personal or secret in everything that a run shows."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from linksfield_async import LinksfieldError


class Scanner(logging.Handler):
    """Collects everything that is shown anywhere, and says where something personal stands in it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(logging.NOTSET)
        self.shown: list[tuple[str, str]] = []
        self.secrets = set(secrets)
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1
        self.look(f"log {record.name}", record.getMessage())
        self.look(f"log {record.name}, its parts", repr(vars(record)))
        if record.exc_info:
            self.look(f"log {record.name}", "".join(traceback.format_exception(record.exc_info[1])))

    def look(self, where: str, text: str) -> None:
        self.shown.append((where, text))

    def look_at_error(self, error: BaseException) -> None:
        name = type(error).__name__
        self.look(f"text of {name}", f"{error!s} {error!r} {error.args!r}")
        self.look(f"trace of {name}", "".join(traceback.format_exception(error)))
        if isinstance(error, LinksfieldError):
            self.look(f"JSON of {name}", json.dumps(error.as_json(), default=repr))
            self.look(f"operation of {name}", repr(error.operation))

    def look_at_otel(self, otel: Any) -> None:
        for span in otel.spans:
            self.look(f"span {span.name}", span.to_json() + repr(span.events))
        for name, points in otel.metrics().items():
            self.look(f"metric {name}", repr(points))

    def leaks(self) -> list[str]:
        return sorted(
            {
                f"{where}: {secret} in {text[:2000]}"
                for where, text in self.shown
                for secret in self.secrets
                if secret in text or secret.replace("@", "%40") in text
            }
        )


@contextmanager
def scanning(secrets: Iterable[str] = ()) -> Iterator[Scanner]:
    """Collect all logs at DEBUG for as long as it lasts."""
    scanner = Scanner(secrets)
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("linksfield_async", "asyncio"))]
    loggers += [logging.getLogger(name) for name in ("aiohttp", "aiohttp.client", "opentelemetry")]
    levels = [logger.level for logger in loggers]
    root.addHandler(scanner)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield scanner
    root.removeHandler(scanner)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
