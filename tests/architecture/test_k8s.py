"""The manifests render offline, are valid, and say what the services say of themselves."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest
from tests.architecture.manifests import (
    OVERLAYS,
    SERVICES,
    config_of,
    label,
    of_kind,
    pods,
    rendered,
    variables_of,
)
from tests.architecture.settings import faults, refusal, service

from trunkline_common.processes.command import DRAIN_SECONDS

VERSIONS = ("1.30", "1.34")
FOLDERS = ("base", *(f"base/{name}" for name in SERVICES), *OVERLAYS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kustomization_renders_by_itself(folder: str) -> None:
    assert rendered(folder)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid(overlay: str, version: str) -> None:
    for manifest in rendered(overlay):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_validation_is_strict() -> None:
    wrong = copy.deepcopy(of_kind("base", "Deployment")[0])
    wrong["spec"]["template"]["spec"]["containers"][0]["livnessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", SERVICES)
def test_one_deployment_for_each_process(name: str) -> None:
    deployed = of_kind(f"base/{name}", "Deployment")
    processes = {process.name for process in service(name).processes}

    assert {label(found, "component") for found in deployed} == processes
    assert len(deployed) == len(processes)
    for found in deployed:
        container = found["spec"]["template"]["spec"]["containers"][0]
        assert container["args"] == [label(found, "component")]
        assert found["metadata"]["name"] == f"{name}-{label(found, 'component')}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_is_told_what_it_needs_and_nothing_else(overlay: str) -> None:
    wrong = {}
    for name, _, container in pods(overlay):
        member = name.partition("-")[0]
        if member != "topology":
            arguments = container.get("args", [])
            wrong[name] = faults(member, arguments, variables_of(overlay, container))

    assert {name: what for name, what in wrong.items() if what} == {}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_services_accept_the_values_they_are_told(overlay: str) -> None:
    for name in SERVICES:
        serve = next(c for pod, _, c in pods(overlay) if pod == f"{name}-serve")
        assert refusal(name, config_of(overlay, serve)) is None


def test_a_wrong_variable_is_seen() -> None:
    assert faults("api", ["serve"], ["API_PUBLIK_URL"])["unknown"] == {"API_PUBLIK_URL"}
    assert "OUTBOUND_DATABASE_URL" in faults("outbound", ["relay"], [])["missing"]
    assert "unknown" in faults("api", ["serve"], ["API_MIGRATION_DATABASE_URL"])
    assert refusal("api", {"API_PUBLIC_URL": "ftp://api"}) is not None


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_locked_down(overlay: str) -> None:
    for name, pod, container in pods(overlay):
        context = container["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name
        assert len(pod["containers"]) == 1, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_has_a_value_in_a_manifest(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    for name, _, container in pods(overlay):
        plain = [v["name"] for v in container.get("env", []) if "value" in v]
        words = ("SECRET", "TOKEN", "KEY", "DATABASE_URL", "BROKER_URL")
        told = [*plain, *config_of(overlay, container)]
        assert not [variable for variable in told if any(w in variable for w in words)], name


@pytest.mark.parametrize("name", SERVICES)
def test_a_process_is_watched_and_has_the_time_to_drain(name: str) -> None:
    for found in of_kind(f"base/{name}", "Deployment"):
        pod = found["spec"]["template"]["spec"]
        container = pod["containers"][0]
        assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] > pause + DRAIN_SECONDS
        assert pod["serviceAccountName"] == name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_deployment_may_be_disrupted_one_pod_at_a_time(overlay: str) -> None:
    budgets = {b["metadata"]["name"]: b["spec"] for b in of_kind(overlay, "PodDisruptionBudget")}

    for found in of_kind(overlay, "Deployment"):
        if label(found, "name") != "sandbox":
            budget = budgets.pop(found["metadata"]["name"])
            assert budget["maxUnavailable"] == 1
            assert budget["selector"] == found["spec"]["selector"]
    assert not budgets


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_reaches_pods_that_listen(overlay: str) -> None:
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in of_kind(overlay, "Deployment")]

    for found in of_kind(overlay, "Service"):
        wanted = found["spec"]["selector"].items()
        assert [one for one in labels if wanted <= one.items()], found["metadata"]["name"]
