"""What is known of a stack between two commands: its processes and the ports of its parts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trunkline_dev.servers.processes import Launched


@dataclass(slots=True)
class StackLedger:
    """The file that remembers. A process enters it at birth, so even a killed start is undone."""

    path: Path
    processes: dict[str, Launched] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    complete: bool = False

    def launched(self, name: str, process: Launched) -> Launched:
        """Remember a process before anything else is done with it."""
        self.processes[name] = process
        self.write()
        return process

    def write(self) -> None:
        """Replace the file at once."""
        content = {
            "processes": {name: asdict(process) for name, process in self.processes.items()},
            "ports": self.ports,
            "complete": self.complete,
        }
        draft = self.path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
        draft.replace(self.path)

    def is_running(self) -> bool:
        """Whether the start was finished and every process of it still lives."""
        return self.complete and all(one.is_running() for one in self.processes.values())


def read_stack_ledger(path: Path) -> StackLedger:
    """What the file says; an empty ledger where there is none or a broken one."""
    try:
        content = json.loads(path.read_text())
        processes = {name: Launched(**one) for name, one in content["processes"].items()}
        return StackLedger(path, processes, dict(content["ports"]), bool(content["complete"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return StackLedger(path)
