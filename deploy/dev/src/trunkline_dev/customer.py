"""A customer of the running stack: a business, its provider accounts, its contacts and runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from trunkline_dev.stack.options import SANDBOX
from trunkline_dev.stack.running import Stack
from trunkline_dev.web import Refused, Web

Kind = Literal["voice", "whatsapp"]

FINAL: Final = frozenset({"completed", "cancelled", "failed", "rejected"})
SCRIPT: Final = (
    "Hello! This is Lindenhof Opticians. The glasses that you ordered are ready. "
    "We are open until six o'clock. Thank you, and goodbye."
)
TEXT: Final = "Lindenhof Opticians: the glasses that you ordered are ready. We are open until six."
_SENDERS: Final = ("+493023125000",)
_PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class Account:
    """One account at a provider, and the channel it became."""

    kind: Kind
    account: str
    channel_id: str


@dataclass(slots=True)
class Customer:
    """A business with its own key; everything it does goes through the public API."""

    stack: Stack
    business: dict[str, Any]
    api: Web
    accounts: dict[Kind, Account] = field(default_factory=dict)

    @classmethod
    def join(cls, stack: Stack, name: str, *, country: str = "DE") -> Customer:
        """The operator creates the business; from then on its own key speaks."""
        asked = {"name": name, "country": country, "time_zone": "Europe/Berlin"}
        business = stack.api().post("/v1/businesses", asked)
        return cls(stack, business, stack.api(business["key"]["key"]))

    def add_voice(self, *, per_second: float = 100.0, concurrent: int = 120) -> Account:
        """A new Twilio account, at the sandbox and as a channel."""
        sid, token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
        self.stack.sandbox().post(
            "/sandbox/twilio/accounts",
            {
                "account_sid": sid,
                "auth_token": token,
                "numbers": list(_SENDERS),
                "calls_per_second": per_second,
            },
        )
        return self._add("voice", sid, {"auth_token": token}, per_second, concurrent)

    def add_whatsapp(self, *, per_second: float = 80.0, concurrent: int = 1000) -> Account:
        """A new WhatsApp number; the sandbox asks our webhook for the challenge, as Meta does."""
        number = str(10**14 + secrets.randbelow(10**14))
        access, app, verify = (secrets.token_hex(16) for _ in range(3))
        told = {"access_token": access, "app_secret": app, "verify_token": verify}
        account = self._add("whatsapp", number, told, per_second, concurrent)
        webhook = f"{self.stack.layout.url('api')}/callbacks/meta/{account.channel_id}"
        registered = {"phone_number_id": number, "webhook_url": webhook, **told}
        self.stack.sandbox().post("/sandbox/meta/numbers", registered)
        return account

    def add(self, kind: Kind, *, per_second: float = 100.0) -> Account:
        """A channel of this kind."""
        if kind == "voice":
            return self.add_voice(per_second=per_second)
        return self.add_whatsapp(per_second=per_second)

    def _add(
        self, kind: Kind, account: str, told: dict[str, str], per_second: float, concurrent: int
    ) -> Account:
        asked = {
            "kind": kind,
            "account": account,
            "senders": list(_SENDERS),
            "credentials": told,
            "per_second": per_second,
            "concurrent": concurrent,
        }
        channel = self.api.post("/v1/channels", asked)
        self.accounts[kind] = Account(kind, account, channel["id"])
        return self.accounts[kind]

    def import_contacts(self, file: bytes) -> dict[str, Any]:
        """Import a CSV file."""
        answer = self.api.ask("POST", "/v1/imports", raw=file, headers={"Content-Type": "text/csv"})
        if answer.status != 201:
            raise Refused("POST /v1/imports", answer)
        told: dict[str, Any] = answer.body
        return told

    def import_numbers(self, numbers: Sequence[str]) -> dict[str, Any]:
        """Import contacts that have a number and nothing else."""
        return self.import_contacts("\n".join(["Phone", *numbers]).encode())

    def draft(self, kind: Kind, import_id: str, **policy: object) -> dict[str, Any]:
        """A run over an import, not started yet."""
        content = {"script": SCRIPT} if kind == "voice" else {"text": TEXT}
        run: dict[str, Any] = self.api.post(
            "/v1/runs",
            {
                "name": "Glasses are ready",
                "channel": kind,
                "channel_id": self.accounts[kind].channel_id,
                "audience": {"import_id": import_id},
                "content": content,
                "policy": policy,
            },
        )
        return run

    def start(self, run_id: str) -> dict[str, Any]:
        """Start it."""
        run: dict[str, Any] = self.api.post(f"/v1/runs/{run_id}/start")
        return run

    def run(self, run_id: str) -> dict[str, Any]:
        """How far it is."""
        run: dict[str, Any] = self.api.get(f"/v1/runs/{run_id}")
        return run

    def witnessed(self, kind: Kind) -> list[dict[str, Any]]:
        """The sandbox's own log about this customer's account at a provider."""
        account = self.accounts[kind].account
        return [line for line in read_witness(self.stack) if line.get("account") == account]


def read_witness(stack: Stack) -> Iterator[dict[str, Any]]:
    """Every line of the sandbox's log."""
    after = 0
    web = Web(stack.layout.url(SANDBOX), seconds=60.0)
    while True:
        page = web.get("/sandbox/log", after=after, limit=_PAGE)
        if not page["entries"]:
            return
        yield from page["entries"]
        after = page["entries"][-1]["n"]
