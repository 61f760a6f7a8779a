"""The images: what they copy is there, nothing runs as root, SIGTERM reaches the process itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.architecture.manifests import pods
from tests.architecture.sources import ROOT

from trunkline_common.topology import SERVICES

ONE_FOR_ALL = ROOT / "deploy" / "Dockerfile"
FILES = (ONE_FOR_ALL, ROOT / "deploy" / "sandbox.Dockerfile")


def instructions(path: Path) -> list[tuple[str, str]]:
    """Each instruction with its words; comments and continuations taken out."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(line[0], " ".join(line[1].split())) for line in lines]


def _values(path: Path, wanted: str) -> list[str]:
    return [words for name, words in instructions(path) if name == wanted]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_last_user_is_not_root_and_is_the_manifests_user(path: Path) -> None:
    user = _values(path, "USER")[-1]

    assert user == "10001:10001"
    for _, pod, _ in pods("overlays/dev"):
        assert (
            f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user
        )


def test_each_service_has_an_entrypoint_in_exec_form() -> None:
    stages: dict[str, list[str]] = {}
    stage = ""
    for name, words in instructions(ONE_FOR_ALL):
        if name == "FROM":
            stage = words.rpartition(" AS ")[2]
        if name == "ENTRYPOINT":
            stages[stage] = json.loads(words)

    assert stages == {name: ["python", "-m", f"trunkline_{name}"] for name in SERVICES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_packages_come_by_hash_and_from_no_named_place(path: Path) -> None:
    installs = [
        command
        for words in _values(path, "RUN")
        for command in words.split("&&")
        if "pip" in command and " install " in command
    ]

    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index --no-deps" in command.replace(
            "--no-deps --no-index", "--no-index --no-deps"
        )
    assert "://" not in path.read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_what_an_image_copies_is_there_and_is_not_ignored(service: str) -> None:
    allowed = [
        line.removeprefix("!")
        for line in ONE_FOR_ALL.with_name("Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        source.replace("${SERVICE}", service)
        for words in _values(ONE_FOR_ALL, "COPY")
        if not words.startswith("--from")
        for source in words.split()[:-1]
    ]

    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


def test_there_is_a_lock_for_each_image() -> None:
    for name in (*SERVICES, "sandbox", "build"):
        lock = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "--hash=sha256:" in lock
