"""The stack in containers: settings that exist, ports on loopback, images of this checkout."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.architecture.settings import faults, refusal
from tests.architecture.sources import ROOT

from trunkline_common.topology import SERVICES

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "dev" / "compose.yaml").read_text())
PARTS: dict[str, Any] = COMPOSE["services"]
OURS = {
    **{name: (name, ()) for name in (*SERVICES, "sandbox")},
    **{f"migrate-{name}": (name, ("migrate",)) for name in SERVICES},
}


@pytest.mark.parametrize("part", OURS)
def test_a_part_is_told_what_it_needs_and_nothing_else(part: str) -> None:
    name, arguments = OURS[part]

    assert PARTS[part].get("command", []) == list(arguments)
    assert faults(name, arguments, PARTS[part]["environment"]) == {}


@pytest.mark.parametrize("name", SERVICES)
def test_the_services_accept_their_values(name: str) -> None:
    assert refusal(name, PARTS[name]["environment"]) is None


def test_every_port_is_on_loopback() -> None:
    ports = [port for part in PARTS.values() for port in part.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_its_schema_and_the_topology(name: str) -> None:
    waits = PARTS[name]["depends_on"]

    done = {"condition": "service_completed_successfully"}
    assert waits[f"migrate-{name}"] == waits["topology"] == done


def test_every_part_that_is_waited_for_exists() -> None:
    for part in PARTS.values():
        assert part.get("depends_on", {}).keys() <= PARTS.keys()


@pytest.mark.parametrize("part", [part for part in PARTS if "build" in PARTS[part]])
def test_images_are_built_from_what_is_here(part: str) -> None:
    build = PARTS[part]["build"]

    assert (DEPLOY / "dev" / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    assert build.get("args", {}).get("SERVICE", "sandbox") in PARTS[part]["image"]
