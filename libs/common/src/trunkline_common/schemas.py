"""The golden JSON schema of each event: what was promised, frozen in files.

`python -m trunkline_common.schemas FOLDER` writes those of new events, and those that only gained
an optional field. Anything else is refused: make a v2 beside the v1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from trunkline_common.contracts import EVENTS
from trunkline_common.contracts.envelope import Event

MAKE_A_V2: Final = "make a v2: a published event only ever gains optional fields"

# What explains a field but does not change what may be written.
_WORDS: Final = frozenset({"description", "title", "examples"})


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The schema of an event as it is on the wire."""
    schema = event.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:trunkline:schema:{event.name}",
        **schema,
    }


def text_of(event: type[Event]) -> str:
    """The schema as it is kept in a file."""
    return json.dumps(schema_of(event), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def broken_promises(golden: Any, now: Any, where: str = "") -> list[str]:
    """What has changed in any way but an added optional field or another word of explanation."""
    if isinstance(golden, dict) and isinstance(now, dict):
        return _broken_in_object(golden, now, where)
    return [] if golden == now else [f"{where or 'it'}: was {golden!r}, is {now!r}"]


def _broken_in_object(golden: dict[str, Any], now: dict[str, Any], where: str) -> list[str]:
    holds_fields = where.rsplit("/", 1)[-1] in {"properties", "$defs"}
    words = frozenset() if holds_fields else _WORDS
    broken: list[str] = []
    for key in sorted((golden.keys() | now.keys()) - words):
        place = f"{where}/{key}"
        if key == "required":  # of what is written: pydantic lists defaults there too
            broken += _broken_required(golden.get(key, []), now.get(key, []), now, place)
        elif key not in now:
            broken.append(f"{place}: is gone")
        elif key not in golden:
            if key == "$defs" and not where:
                continue  # what an added field is made of
            if not holds_fields or (where.endswith("properties") and not _optional(now[key])):
                broken.append(f"{place}: is new and not optional")
        else:
            broken += broken_promises(golden[key], now[key], place)
    return broken


def _optional(field: Any) -> bool:
    return isinstance(field, dict) and "default" in field


def _broken_required(
    golden: list[str], now: list[str], schema: dict[str, Any], where: str
) -> list[str]:
    """A field may join the list of what is always written only if it has a default."""
    fields = schema.get("properties", {})
    joined = [name for name in now if name not in golden and not _optional(fields.get(name))]
    left = [name for name in golden if name not in now]
    return [f"{where}: {name} changed" for name in (*joined, *left)]


def main(argv: list[str]) -> int:
    """Write the golden files; refuse to break one."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m trunkline_common.schemas FOLDER\n")
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    refused = False
    for name, event in sorted(EVENTS.items()):
        path = folder / f"{name}.json"
        golden = json.loads(path.read_text()) if path.exists() else None
        broken = broken_promises(golden, schema_of(event)) if golden else []
        if broken:
            refused = True
            sys.stderr.write(f"{name}: {'; '.join(broken)}; {MAKE_A_V2}\n")
        else:
            path.write_text(text_of(event))
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
