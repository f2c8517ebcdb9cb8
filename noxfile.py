"""Everything a contributor runs: `nox` alone for the quick sessions, `nox -s NAME` for one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "virtualenv"

PACKAGE = "linksfield_async"
TOOLS = [
    "pytest>=9.0",
    "pytest-asyncio>=1.2",
    "aioresponses==0.7.9",
    "hypothesis>=6.150",
    "openapi-spec-validator>=0.7.2",
    "selenium>=4.27",
    "pytest-timeout>=2.4",
    "trustme>=1.2",
    "opentelemetry-sdk>=1.30",
    "coverage[toml]>=7.10",
    "psycopg[binary]>=3.2",
    "fastapi>=0.115",
    "uvicorn>=0.32",
    "django>=5.1",
    "flask>=3.1",
]


def install_wheel(session: nox.Session, *more: str) -> None:
    """Build the wheel and install it: tests see what users get, not the working tree."""
    session.install("build")
    wheels = Path(session.create_tmp()).resolve() / "wheels"
    session.run("python", "-m", "build", "--wheel", "--outdir", str(wheels), ".", silent=True)
    (wheel,) = sorted(wheels.glob("*.whl"), key=lambda path: path.stat().st_mtime)[-1:]
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.install(f"{PACKAGE}[cli,otel,parquet,postgres,redis] @ {wheel.as_uri()}", *more)


@nox.session
def lint(session: nox.Session) -> None:
    """Format and lint."""
    session.install("ruff==0.17.5")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types twice, the typing test included."""
    frameworks = ("fastapi>=0.115", "uvicorn>=0.32", "starlette>=0.40", "django>=5.1", "flask>=3.1")
    session.install("-e", ".[cli,otel,parquet,postgres,redis]", *frameworks)
    session.install("mypy==2.4.1", "pyright[nodejs]==1.1.414", "nox")
    session.run("mypy")
    session.run("pyright")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports point downwards only."""
    session.install("-e", ".[cli,otel]", "import-linter==2.16")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheel, with branch coverage."""
    install_wheel(session, *TOOLS)
    environment = {
        "PYTHONDEVMODE": "1",
        "COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage"),
    }
    session.run("coverage", "run", "-m", "pytest", *session.posargs, env=environment)
    session.run("coverage", "report", env=environment)


@nox.session(python=["3.11", "3.12", "3.13"])
def every_python(session: nox.Session) -> None:
    """Run the tests on every Python that is there."""
    install_wheel(session, *TOOLS)
    session.run("pytest", "-q", *session.posargs, env={"PYTHONDEVMODE": "1"})


@nox.session
def oldest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml allows."""
    dependencies = nox.project.load_toml("pyproject.toml")["project"]
    lowest = [
        line.replace(">=", "==")
        for line in (*dependencies["dependencies"], *dependencies["optional-dependencies"]["cli"])
    ]
    install_wheel(session, *TOOLS, *lowest)
    session.run("pytest", "-q", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try the sandbox with requests made up from its OpenAPI document, and any order of calls.

    `-- 1000` tries as many of each operation; 100 unless given.
    """
    install_wheel(session, "schemathesis>=4.32", *TOOLS)
    session.run("python", "tests/fuzz/run.py", *session.posargs)
    examples = {"LINKSFIELD_TEST_EXAMPLES": "500"}
    stateful = ("tests/sandbox/test_stateful.py", "--timeout=1200")
    session.run("pytest", "-q", "-p", "no:schemathesis", *stateful, env=examples)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside the peers, and print what was measured; `-- --quick` is shorter."""
    peers = ("httpx", "requests", "stripe", "openai", "elastic-transport", "uvloop", "trustme")
    install_wheel(session, *peers)
    session.run("python", "benchmarks/run.py", *session.posargs)
