"""HTTP as the demo and the tests speak it to the stack: JSON in, JSON out, a deadline on all."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is the parsed JSON, or None where there was none."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Refused(Exception):
    """An answer other than the one that was needed."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"{what}: {answer.status} {json.dumps(answer.body, ensure_ascii=False)}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Web:
    """One server and the headers that every request to it carries."""

    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = _SECONDS

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, never repeated; raises OSError where nobody answers."""
        door = urlsplit(self.base)
        sent = {**self.headers, **(headers or {})}
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection(
            door.hostname or "", door.port, timeout=self.seconds
        )
        try:
            with closing(connection):
                connection.request(method, door.path + path, body=raw, headers=sent)
                answer = connection.getresponse()
                return Answer(answer.status, dict(answer.headers), _parsed(answer.read()))
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error

    def get(self, path: str, **query: object) -> Any:
        """What stands there; anything but a 2xx raises."""
        given = urlencode({name: value for name, value in query.items() if value is not None})
        return self._needed("GET", f"{path}?{given}" if given else path)

    def post(self, path: str, body: object = None) -> Any:
        """What a request made; anything but a 2xx raises."""
        return self._needed("POST", path, body=body)

    def pages(self, path: str, *, limit: int = 200) -> Iterator[Any]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=limit, cursor=cursor)
            yield from page["data"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def _needed(self, method: str, path: str, *, body: object = None) -> Any:
        answer = self.ask(method, path, body=body)
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path.partition('?')[0]}", answer)
        return answer.body


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
