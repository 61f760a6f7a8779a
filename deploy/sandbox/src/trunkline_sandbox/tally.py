"""The witness in numbers: accepted requests per address, duplicates, outcomes and deliveries."""

from collections import Counter
from typing import Any

from trunkline_sandbox.witness import Entry

ACCEPTED = ("call_accepted", "message_accepted")


class Tally:
    """Counts the witness's lines as they come, so that a summary costs no reading of the file."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self._accepted: dict[str, Counter[str]] = {}
        self._references: dict[str, Counter[str]] = {}
        self._outcomes: dict[str, Counter[str]] = {}

    def observe(self, entry: Entry) -> None:
        """Count one line; also used for the lines of earlier processes."""
        kind = entry["kind"]
        self.kinds[kind] += 1
        account = entry.get("account", "")
        if kind in ACCEPTED:
            self._accepted.setdefault(account, Counter())[entry["to"]] += 1
            if entry.get("reference"):
                self._references.setdefault(account, Counter())[entry["reference"]] += 1
        elif kind in {"call_status", "message_status"} and entry.get("final"):
            self._outcomes.setdefault(account, Counter())[entry["status"]] += 1

    def accepted_for(self, account: str, to: str) -> int:
        """How many requests for this address were accepted so far."""
        counts = self._accepted.get(account)
        return counts[to] if counts else 0

    def summary(self, account: str | None = None) -> dict[str, Any]:
        """Accepted requests per address, what came twice, and how it ended."""
        accepted = _total(self._accepted, account)
        references = _total(self._references, account)
        return {
            "accepted": accepted.total(),
            "addresses": len(accepted),
            "accepted_per_to": dict(accepted),
            "duplicates": {to: count for to, count in accepted.items() if count > 1},
            "duplicate_references": {ref: n for ref, n in references.items() if n > 1},
            "outcomes": dict(_total(self._outcomes, account)),
            "lines": dict(self.kinds),
        }


def _total(counts: dict[str, Counter[str]], account: str | None) -> Counter[str]:
    if account is not None:
        return counts.get(account, Counter())
    total: Counter[str] = Counter()
    for each in counts.values():
        total.update(each)
    return total
