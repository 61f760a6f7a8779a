"""The environment: read once, and refused without showing what it holds."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

import trunkline_common
from trunkline_common.settings import BadSettings, ServiceSettings, read_settings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="UNIT_", frozen=True, extra="ignore")

    pace: int = Field(default=5, ge=1)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("UNIT_")]:
        monkeypatch.delenv(name)


def test_every_fault_is_named_and_no_value_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIT_PACE", "s3cret")
    with pytest.raises(BadSettings) as refusal:
        read_settings(Settings)
    said = str(refusal.value)
    assert "UNIT_DATABASE_URL: Field required" in said
    assert "UNIT_BROKER_URL: Field required" in said
    assert "UNIT_PACE: Input should be a valid integer" in said
    assert "s3cret" not in said
    assert "\n" not in said


def test_what_is_given_is_read_and_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIT_DATABASE_URL", "postgresql://user:s3cret@host/db")
    monkeypatch.setenv("UNIT_BROKER_URL", "amqp://host/")
    settings = read_settings(Settings)
    assert settings.database_url.endswith("/db")
    assert "s3cret" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.pace = 6  # type: ignore[misc]  # that is the point


def test_every_module_can_be_imported_with_an_empty_environment() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(trunkline_common.__path__, "trunkline_common.")
        if not module.name.startswith("trunkline_common.testing")
    ]
    assert len(names) > 40
    program = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-W", "error", "-c", program], env={}, check=True, timeout=50)
