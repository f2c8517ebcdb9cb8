"""Fuzz a sandbox with what schemathesis makes of its OpenAPI document; signed, then unsigned."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from itertools import islice
from pathlib import Path

from linksfield_async.sandbox import Sandbox

HERE = Path(__file__).parent
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "refused_without_a_sign",
    "success_is_told_as_success",
)


async def fuzz(examples: str, *, unsigned: bool) -> int:
    """Run schemathesis in a process of its own; gives its exit code."""
    # A place of its own: schemathesis keeps what it found where it runs.
    with tempfile.TemporaryDirectory() as place:
        return await _fuzz_in(place, examples, unsigned=unsigned)


async def _fuzz_in(place: str, examples: str, *, unsigned: bool) -> int:
    async with Sandbox(cards=200) as sandbox:
        cards = ",".join(islice(sandbox.world.iccids("valid"), 5))
        process = await asyncio.create_subprocess_exec(
            *("schemathesis", "run", f"{sandbox.url}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--max-examples", examples),
            *("--phases", "examples,coverage,fuzzing", "--generation-deterministic"),
            cwd=place,
            env={
                **os.environ,
                "PYTHONPATH": str(HERE),
                "SCHEMATHESIS_HOOKS": "sandbox_hooks",
                "LINKSFIELD_FUZZ_CARDS": cards,
                "LINKSFIELD_FUZZ_UNSIGNED": "1" if unsigned else "",
            },
        )
        ended = await process.wait()
        outcomes: dict[str, int] = {}
        for request in sandbox.requests:
            outcomes[request.outcome] = outcomes.get(request.outcome, 0) + 1
    most = sorted(outcomes.items(), key=lambda one: -one[1])
    sys.stdout.write("".join(f"{count:7} {outcome}\n" for outcome, count in most))
    return ended


if __name__ == "__main__":
    # What is no HTTP at all is answered by aiohttp itself, which tells of each.
    logging.getLogger("aiohttp.server").disabled = True
    given = sys.argv[1] if len(sys.argv) > 1 else "100"
    ends = [asyncio.run(fuzz(given, unsigned=unsigned)) for unsigned in (False, True)]
    sys.exit(max(ends))
