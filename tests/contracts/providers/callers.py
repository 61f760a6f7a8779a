"""Clients of the sandbox that hold every answer against the provider's own description."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from tests.contracts.providers.spec_check import Spec, check_answer, check_request

FROM = "+14155550100"
SAY = "<Response><Say>Your appointment is tomorrow.</Say></Response>"


@dataclass(frozen=True)
class Caller:
    """A client of one provider that holds every answer against the description."""

    spec: Spec
    client: httpx.Client
    account: str

    def ask(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, Any] | None = None,
        message: dict[str, Any] | None = None,
    ) -> httpx.Response:
        answer = self.client.request(method, path, data=form, json=message)
        found = check_answer(self.spec, method, path, answer.status_code, answer.content)
        assert found == []
        return answer

    def rightly(self, answer: httpx.Response) -> httpx.Response:
        """The request that led to this answer was one that the description allows."""
        sent = answer.request
        path = sent.url.raw_path.decode()
        assert check_request(self.spec, sent.method, path, sent.headers, sent.content) == []
        return answer

    @property
    def root(self) -> str:
        return f"/2010-04-01/Accounts/{self.account}"

    def create(self, **changes: str | None) -> httpx.Response:
        form = {"To": f"+49170{uuid4().int % 10**7:07}", "From": FROM, "Twiml": SAY} | changes
        kept = {name: text for name, text in form.items() if text is not None}
        return self.ask("POST", f"{self.root}/Calls.json", form=kept)

    def settled(self, path: str, *ends: str) -> dict[str, Any]:
        """Ask until the resource has one of these states."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.ask("GET", path).json()
            if found["status"] in ends:
                return found
        raise AssertionError(f"{path} never became {ends}")
