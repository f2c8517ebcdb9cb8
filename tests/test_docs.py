"""The pages' examples run against a sandbox, and the generated page is up to date."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from linksfield_async import Sandbox

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    )
]


@pytest.mark.parametrize("code", EXAMPLES)
async def test_an_example_runs(code: str, tmp_path: Path) -> None:
    async with Sandbox(cards=1_000, partner_code="P000270") as sandbox:
        good = next(iter(sandbox.world.iccids("valid")))
        code = code.replace("89852420180910340793", good)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            code,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "LINKSFIELD_PARTNER_CODE": "P000270",
                "LINKSFIELD_ENDPOINTS": sandbox.url,
                "PATH": "/usr/bin:/bin",
            },
        )
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert errors == b""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


def test_the_page_of_operations_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.TARGET.read_text(encoding="utf-8") == generate.page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_has_two_commands_to_try() -> None:
    section = (ROOT / "README.md").read_text().split("## Try it")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 2
