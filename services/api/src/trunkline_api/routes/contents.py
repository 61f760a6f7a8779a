"""What a run says, as it is shown to whoever asks for one."""

from __future__ import annotations

from typing import Any, Final

EXAMPLE: Final[dict[str, Any]] = {
    "language": "en-US",
    "variables": {"first_name": {"default": "there"}, "day": {}},
    "steps": [
        {"do": "say", "text": "Hello {{first_name}}, your glasses are ready on {{day}}."},
        {
            "do": "gather",
            "prompt": [{"do": "say", "text": "Press 1 to confirm, 2 for our shop, 9 for never."}],
            "actions": {
                "1": {"do": "confirm", "say": "Thank you."},
                "2": {"do": "connect", "to": "+4930231250", "otherwise": "Nobody is there now."},
                "9": {"do": "opt_out", "say": "You will not be called again."},
            },
            "no_input": "repeat",
        },
    ],
    "voicemail": [{"do": "say", "text": "Hello {{first_name}}, your glasses are ready."}],
}
