"""The manifests as a cluster would get them, rendered offline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from tests.architecture.sources import ROOT

K8S: Final = ROOT / "deploy" / "k8s"
KUBECTL: Final = Path(sys.executable).with_name("kubectl")
OVERLAYS: Final = ("overlays/dev", "overlays/prod")
SERVICES: Final = ("api", "outbound", "messaging", "recordings")
_SECONDS: Final = 30.0

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    """Every object of a kustomization."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(K8S / folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, yaml.CSafeLoader))


def of_kind(folder: str, kind: str) -> list[Manifest]:
    """The objects of one kind."""
    return [found for found in rendered(folder) if found["kind"] == kind]


def label(manifest: Manifest, name: str) -> str:
    """One of the recommended labels of an object."""
    return str(manifest["metadata"]["labels"].get(f"app.kubernetes.io/{name}", ""))


def pods(folder: str) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, pod and first container of everything that runs."""
    for manifest in rendered(folder):
        if manifest["kind"] in {"Deployment", "Job"}:
            pod = manifest["spec"]["template"]["spec"]
            yield manifest["metadata"]["name"], pod, pod["containers"][0]


def config_of(folder: str, container: Manifest) -> dict[str, str]:
    """What a container's config maps tell it."""
    maps = {found["metadata"]["name"]: found["data"] for found in of_kind(folder, "ConfigMap")}
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        told |= maps[source["configMapRef"]["name"]]
    return told


def variables_of(folder: str, container: Manifest) -> set[str]:
    """Every variable that a container is started with."""
    own = {variable["name"] for variable in container.get("env", [])}
    return own | set(config_of(folder, container))
