"""A sandbox of its own for the provider contracts, and the descriptions to hold it against."""

from collections.abc import Iterator

import pytest
from tests.contracts.providers.spec_check import ABSENT, Spec, load_spec

from trunkline_sandbox.process import running_sandbox


@pytest.fixture(scope="session")
def twilio_spec() -> Spec:
    spec = load_spec("twilio")
    if spec is None:
        pytest.skip(ABSENT)
    return spec


@pytest.fixture(scope="session")
def meta_spec() -> Spec:
    spec = load_spec("meta")
    if spec is None:
        pytest.skip(ABSENT)
    return spec


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("sandbox") / "witness.jsonl"
    with running_sandbox(log, speed=2000, mix="answered=1") as url:
        yield url
