"""Which nft is used, and what is said where there is none."""

from pathlib import Path

import pytest

from trunkline_dev.nft import find_nft
from trunkline_dev.servers.packages import NoPackages


def test_the_one_on_path_is_used(tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find_nft(tmp_path / "cache", path=str(tmp_path)).program == program
    assert not (tmp_path / "cache").exists()


def test_without_packages_one_line_says_what_to_provide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoPackages) as refused:
        find_nft(tmp_path / "cache")
    assert str(refused.value) == (
        "no nftables here and no apt-get to fetch one with: put nft on PATH to cut networks"
    )
