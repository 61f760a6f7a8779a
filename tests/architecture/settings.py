"""What a service's environment may hold and must hold, as its own settings classes say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from pydantic_settings import BaseSettings

from trunkline_common.processes import Service
from trunkline_common.settings import MigrationSettings, ProcessSettings
from trunkline_sandbox.settings import SandboxSettings

# Read by OpenTelemetry itself.
_OPEN = "OTEL_"


def service(name: str) -> Service[Any]:
    """A service as its app puts it together."""
    found: Service[Any] = import_module(f"trunkline_{name}.app").SERVICE
    return found


def _variables(settings: type[BaseSettings], prefix: str, *, required: bool) -> set[str]:
    return {
        (prefix + field).upper()
        for field, said in settings.model_fields.items()
        if said.is_required() or not required
    }


def faults(name: str, arguments: Iterable[str], told: Iterable[str]) -> dict[str, set[str]]:
    """Variables that a process does not know, and those it lacks; empty when it can start."""
    if name == "sandbox":
        known, needed = _variables(SandboxSettings, "SANDBOX_", required=False), set[str]()
    else:
        prefix = f"{name.upper()}_"
        if "migrate" in arguments:
            known = needed = _variables(MigrationSettings, prefix, required=True)
        else:
            own = service(name).settings
            known = _variables(own, prefix, required=False)
            known -= {f"{prefix}MIGRATION_DATABASE_URL"}  # the owner's way in is not a process's
            known |= _variables(ProcessSettings, "", required=False)
            needed = _variables(own, prefix, required=True)
    given = {variable for variable in told if not variable.startswith(_OPEN)}
    found = {"unknown": given - known, "missing": needed - given}
    return {what: which for what, which in found.items() if which}


def refusal(name: str, values: Mapping[str, str]) -> str | None:
    """What the service says of these plain values, with a good one for each secret left out."""
    secrets = {
        "DATABASE_URL": "postgresql://one@db/trunkline",
        "BROKER_URL": "amqp://broker/",
        "SEALING_KEYS": "k:" + "A" * 43 + "=",
        "CALLBACK_SECRET": "x" * 32,
        "OPERATOR_TOKEN": "x" * 32,
        "INTERNAL_TOKEN": "x" * 32,
    }
    settings, prefix = service(name).settings, f"{name.upper()}_"
    fields = {key.lower(): value for key, value in secrets.items()}
    fields |= {
        variable.removeprefix(prefix).lower(): value
        for variable, value in values.items()
        if variable.startswith(prefix)
    }
    try:
        settings(**fields)  # all text, as the environment gives them
    except ValueError as error:
        return str(error)
    return None
