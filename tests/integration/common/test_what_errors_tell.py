"""What an error knows of a person stays where it was: no span, log or letter repeats it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.integration.common.parts import SHORT, declared, progressed, wire
from tests.integration.common.small_service import PRIVATE
from tests.integration.common.started import started

from trunkline_common.broker.dead_letters import work
from trunkline_common.testing import Broker, eventually


@pytest.mark.broker
async def test_a_refused_row_is_not_told_by_span_log_or_letter(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    await declared(broker)
    environment = {
        "SMALL_DATABASE_URL": database_url,
        "SMALL_BROKER_URL": broker.url,
        "TRUNKLINE_SPANS_DIR": str(tmp_path),
    }
    async with started("all", environment) as service:
        assert (await service.request("GET", "/refused"))[0] == 500
        await broker.publish(wire(progressed("run_refused")), "outbound")
        await eventually(lambda: service.named("event.dead"), 20)
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
    (letter,) = await work(broker.url, "list", (SHORT,))
    spans = spans_in(tmp_path)
    lines = json.dumps(service.lines, ensure_ascii=False) + "\n".join(service.other)
    told = {"spans": spans, "log": lines, "letter": letter.reason}
    for place, text in told.items():
        assert "effects_note_check" in text, f"{place} must still say what was wrong"
        for part in (*PRIVATE.split(", "), "15112345678"):
            assert part not in text, f"{place} tells {part!r}"
    processed = [json.loads(line) for line in spans.splitlines() if '"process ' in line]
    assert processed[0]["status"]["status_code"] == "ERROR"
    assert processed[0]["events"][0]["attributes"]["exception.type"].endswith("IntegrityError")


def spans_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())
