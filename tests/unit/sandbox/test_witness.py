"""The witness numbers every line once, over restarts and torn lines."""

import json
from pathlib import Path

import pytest

from trunkline_sandbox.tally import Tally
from trunkline_sandbox.witness import Witness, WitnessInUseError


def test_lines_are_in_the_file_when_write_returns(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "log")
    assert witness.write("one", word="grün") == 1
    assert json.loads((tmp_path / "log").read_text())["word"] == "grün"
    assert [json.loads(line)["n"] for line in witness.read()] == [1]
    assert witness.read(after=1) == []
    witness.close()


def test_numbering_goes_on_after_a_restart_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    first = Witness(path)
    for _ in range(3):
        first.write("line")
    first.close()
    with path.open("ab") as file:
        file.write(b'{"n":4,"ki')
    second = Witness(path)
    assert [entry["n"] for entry in second.history()] == [1, 2, 3]
    assert second.write("line") == 4
    assert [json.loads(line)["n"] for line in second.read()] == [1, 2, 3, 4]
    assert [json.loads(line)["n"] for line in second.read(after=2, limit=1)] == [3]
    second.close()
    third = Witness(path)
    assert [entry["n"] for entry in third.history()] == [1, 2, 3, 4]
    third.close()


def test_one_writer_only(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "log")
    with pytest.raises(WitnessInUseError):
        Witness(tmp_path / "log")
    witness.close()


def test_the_tally_finds_what_was_accepted_twice() -> None:
    tally = Tally()
    for to, reference in (("+491", "a"), ("+492", "b"), ("+491", "c"), ("+493", "b")):
        entry = {"kind": "call_accepted", "account": "AC1", "to": to, "reference": reference}
        tally.observe(entry)
    tally.observe({"kind": "call_accepted", "account": "AC2", "to": "+491", "reference": ""})
    summary = tally.summary("AC1")
    assert summary["duplicates"] == {"+491": 2}
    assert summary["duplicate_references"] == {"b": 2}
    assert (summary["accepted"], summary["addresses"]) == (4, 3)
    assert tally.summary()["accepted_per_to"]["+491"] == 3
    assert tally.accepted_for("AC1", "+491") == 2
