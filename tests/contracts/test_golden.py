"""What is published is promised: schemas and topology are equal to their files."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trunkline_common import topology_file
from trunkline_common.contracts import EVENTS
from trunkline_common.schemas import MAKE_A_V2, broken_promises, main, schema_of, text_of

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
TOPOLOGY = HERE.parents[1] / "deploy" / "topology.json"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_keeps_what_it_promised(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    assert path.exists(), f"{name} is new: `make schemas` writes its file"
    broken = broken_promises(json.loads(path.read_text()), schema_of(EVENTS[name]))
    assert not broken, f"{broken}: {MAKE_A_V2}"
    assert path.read_text() == text_of(EVENTS[name]), "`make schemas` brings the file up to date"


def test_no_file_is_left_of_an_event_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(EVENTS)


def test_the_topology_file_is_current() -> None:
    assert TOPOLOGY.read_text() == topology_file.text(), "`make topology` writes it"


def changed(change: Callable[[dict[str, Any]], None]) -> list[str]:
    golden = schema_of(EVENTS["run.requested.v1"])
    now = copy.deepcopy(golden)
    change(now)
    return broken_promises(golden, now)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["properties"].pop("start_at"),
        lambda s: s["properties"].update(run_id={"type": "integer"}),
        lambda s: s["properties"].update(new={"type": "string"}),
        lambda s: s["required"].append("start_at2"),
        lambda s: s["required"].remove("run_id"),
        lambda s: s["properties"]["channel"]["enum"].append("sms"),
        lambda s: s["$defs"]["RunPolicy"]["properties"].pop("record"),
        lambda s: s["$defs"]["RunPolicy"]["properties"]["record"].update(default=False),
    ],
)
def test_any_other_change_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    assert changed(change)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["properties"].update(new={"type": "string", "default": ""}),
        lambda s: s.update(description="better words"),
        lambda s: s["properties"]["run_id"].update(description="better words"),
        lambda s: s["$defs"]["RunPolicy"]["properties"].update(new={"default": None}),
    ],
)
def test_an_optional_field_and_better_words_are_welcome(
    change: Callable[[dict[str, Any]], None],
) -> None:
    assert changed(change) == []


def test_the_first_field_with_a_shape_of_its_own_is_welcome() -> None:
    golden = schema_of(EVENTS["run.started.v1"])
    now = copy.deepcopy(golden)
    now["$defs"] = {"Shape": {"type": "object"}}
    now["properties"]["new"] = {"$ref": "#/$defs/Shape", "default": None}
    assert broken_promises(golden, now) == []


def test_the_command_writes_what_is_new_and_never_breaks_a_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 0
    kept = tmp_path / "run.started.v1.json"
    broken = json.loads(kept.read_text())
    broken["properties"]["gone"] = {"type": "string"}
    kept.write_text(json.dumps(broken))
    assert main([str(tmp_path)]) == 1
    assert "gone" in json.loads(kept.read_text())["properties"]
    assert MAKE_A_V2 in capsys.readouterr().err
