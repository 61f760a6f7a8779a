"""Whether a calling window ever opens: by its hours and weekdays, and by the days that are off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, time, timedelta
from typing import Any, Final

FARTHEST_DAYS: Final = 400  # outbound looks no farther: what has not opened by then never does


def opens_ever(window: Mapping[str, Any], holidays: Collection[date], today: date) -> bool:
    """Whether there is a day on which this window opens. `window` is that of a run's policy."""
    opens, closes = (
        time.fromisoformat(window[end]).replace(tzinfo=None) for end in ("opens", "closes")
    )
    weekdays = set(window["weekdays"])
    if opens >= closes or not weekdays:
        return False
    days = (today + timedelta(days=ahead) for ahead in range(FARTHEST_DAYS))
    return any(day.isoweekday() in weekdays and day not in holidays for day in days)
