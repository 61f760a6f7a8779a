"""A request that the provider turns down, with the answer its original would give."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response


class RefusalError(Exception):
    """Raised anywhere in a conversation; becomes the provider's own error body."""

    def __init__(
        self,
        status: int,
        code: int,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.body = body
        self.headers = headers

    def answer(self) -> Response:
        return JSONResponse(dict(self.body), status_code=self.status, headers=self.headers)
