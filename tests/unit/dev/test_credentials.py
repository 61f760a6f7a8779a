"""Secrets of a local stack: made once, kept, and completed where an older version made them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from trunkline_dev.stack.credentials import credentials_in


def test_they_are_kept_and_only_we_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = credentials_in(path)
    assert credentials_in(path) == made
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_of_an_older_version_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = asdict(credentials_in(path))
    older = {name: value for name, value in made.items() if name != "internal_token"}
    path.write_text(json.dumps(older))
    now = credentials_in(path)
    assert asdict(now) == made | {"internal_token": now.internal_token}
    assert credentials_in(path) == now
