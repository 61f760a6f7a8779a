"""Meta's address for messages."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from trunkline_sandbox.conversation import Conversation, Deed
from trunkline_sandbox.faults.book import Effects
from trunkline_sandbox.whatsapp.messages import accepted_body, read_order
from trunkline_sandbox.whatsapp.numbers import BusinessNumbers
from trunkline_sandbox.whatsapp.postman import Postman


class MessageDesk:
    """Answers for `/v{nn}.0/{phone_number_id}/messages`."""

    def __init__(
        self, conversation: Conversation, numbers: BusinessNumbers, postman: Postman
    ) -> None:
        self._conversation = conversation
        self._numbers = numbers
        self._postman = postman

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_route("/v{version:int}.0/{phone_number_id}/messages", self.send, ["POST"])
        return router

    async def send(self, request: Request) -> Response:
        async def act(body: bytes, effects: Effects) -> Deed:
            number = self._numbers.authenticate(
                request.path_params["phone_number_id"], request.headers.get("authorization")
            )
            order = read_order(body)
            self._numbers.spend(number, order.wa_id)
            message = self._postman.accept(number, order, effects.mishaps)
            return Deed(JSONResponse(accepted_body(message)), message.first_callback)

        return await self._conversation.hold(request, act)
