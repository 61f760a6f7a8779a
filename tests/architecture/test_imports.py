"""Importing any module works with an empty environment and no network, whatever came before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT, module_name, programs

_SECONDS = 50.0

# What others wrote is imported once; each package of ours then in a fork of its own, so that it
# cannot lean on what another one did.
_PROGRAM = """
import importlib, json, os, sys
outside, ours = json.loads(sys.stdin.read())
for name in outside:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen"):
        raise RuntimeError("an import reached for the world: " + event)
sys.addaudithook(refuse)
failed = []
for names in ours:
    child = os.fork()
    if child == 0:
        for name in names:
            try:
                importlib.import_module(name)
            except BaseException as error:
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        os._exit(0)
    failed.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.exit(1 if any(failed) else 0)
"""

_OUTSIDE = [
    "aiohttp", "aiormq", "alembic", "asyncpg", "cryptography", "fastapi", "obstore",
    "opentelemetry", "opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export", "phonenumbers",
    "prometheus_client", "pydantic", "pydantic_settings", "rich", "sqlalchemy.ext.asyncio",
    "twilio.request_validator", "uvicorn",
]  # fmt: skip


def by_package(names: list[str]) -> list[list[str]]:
    """Modules that lie in one folder, together."""
    packages: dict[str, list[str]] = {}
    for name in names:
        packages.setdefault(name.rpartition(".")[0], []).append(name)
    return list(packages.values())


def imported(names: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Import each in an interpreter that knows nothing of us but where our packages are."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps([_OUTSIDE, by_package(names)]),
        env={},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


# Its fixtures are pytest's own; `__main__` is what starts a program.
_MODULES = [
    name
    for name in map(module_name, programs())
    if not name.endswith("__main__") and ".migrations" not in name
]


def test_every_module_imports_with_nothing_around_it(tmp_path: Path) -> None:
    done = imported(_MODULES, tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line",
    ["import os; os.environ['API_DATABASE_URL']", "import socket; socket.create_server(('', 0))"],
)
def test_an_import_that_needs_the_world_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "greedy.py").write_text(line)
    done = imported(["greedy"], tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("greedy: ")


def test_the_list_is_of_this_checkout() -> None:
    assert {"trunkline_api.app", "trunkline_common.topology"} <= set(_MODULES)
    assert (ROOT / "pyproject.toml").exists()
