"""Twilio's addresses: who may ask, and which part of the exchange answers."""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from trunkline_sandbox.answers import sized_stream
from trunkline_sandbox.bodies import parse_form
from trunkline_sandbox.conversation import Conversation, Deed
from trunkline_sandbox.faults.book import Effects
from trunkline_sandbox.faults.orders import FaultKind
from trunkline_sandbox.voice import errors
from trunkline_sandbox.voice.accounts import Account, Accounts
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.audio import mp3_bytes, wav_chunks, wav_size
from trunkline_sandbox.voice.calls import API, Call, call_resource
from trunkline_sandbox.voice.exchange import Exchange
from trunkline_sandbox.voice.orders import accept_order
from trunkline_sandbox.voice.pages import Query, matching_calls, page_of
from trunkline_sandbox.voice.recordings import (
    Recording,
    call_recording_resource,
    recording_resource,
)
from trunkline_sandbox.voice.tempo import real_now
from trunkline_sandbox.witness import Witness


class VoiceDesk:
    """Answers for `/2010-04-01/Accounts/{sid}`."""

    def __init__(
        self,
        conversation: Conversation,
        accounts: Accounts,
        archive: Archive,
        exchange: Exchange,
        witness: Witness,
    ) -> None:
        self._conversation = conversation
        self._accounts = accounts
        self._archive = archive
        self._exchange = exchange
        self._witness = witness

    def router(self) -> APIRouter:
        """The routes; the longest tails first, as `{sid}` takes anything."""
        router = APIRouter()
        for path, method, answer in (
            ("/Calls.json", "POST", self.create_call),
            ("/Calls.json", "GET", self.list_calls),
            ("/Calls/{sid}/Recordings.json", "GET", self.list_call_recordings),
            ("/Calls/{sid}.json", "GET", self.fetch_call),
            ("/Calls/{sid}.json", "POST", self.update_call),
            ("/Recordings.json", "GET", self.list_recordings),
            ("/Recordings/{sid}.json", "GET", self.fetch_recording),
            ("/Recordings/{sid}.json", "DELETE", self.delete_recording),
            ("/Recordings/{sid}.wav", "GET", self.fetch_wav),
            ("/Recordings/{sid}.mp3", "GET", self.fetch_mp3),
            ("/Recordings/{sid}", "GET", self.fetch_wav),
            ("/{rest:path}", "GET", self.refuse_unknown),
            ("/{rest:path}", "POST", self.refuse_unknown),
            ("/{rest:path}", "DELETE", self.refuse_unknown),
        ):
            # Plain routes: nothing here is for FastAPI to parse, and this is the hot path.
            router.add_route(f"{API}/Accounts/{{account_sid}}{path}", answer, [method])
        return router

    async def create_call(self, request: Request) -> Response:
        async def act(body: bytes, effects: Effects) -> Deed:
            account = self._authenticated(request)
            order = accept_order(parse_form(request, body), account)
            call = self._exchange.accept(account, order, _public(request), effects.mishaps)
            return Deed(JSONResponse(call_resource(call), status_code=201), call.first_callback)

        return await self._conversation.hold(request, act)

    async def list_calls(self, request: Request) -> Response:
        async def act(_: bytes, effects: Effects) -> Deed:
            account = self._authenticated(request)
            lag = effects.first(FaultKind.LIST_LAG)
            horizon = real_now() - timedelta(seconds=lag.seconds) if lag else None
            query = _query(request)
            known = self._archive.calls(account.account_sid, query.text("To"))
            calls = matching_calls(query, known, horizon)
            return Deed(JSONResponse(page_of(query, "calls", calls, call_resource)))

        return await self._conversation.hold(request, act)

    async def fetch_call(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            return Deed(JSONResponse(call_resource(self._call(request))))

        return await self._conversation.hold(request, act)

    async def update_call(self, request: Request) -> Response:
        async def act(body: bytes, _: Effects) -> Deed:
            call = self._call(request)
            status = parse_form(request, body).get("Status", [""])[-1]
            if status not in ("canceled", "completed"):
                raise errors.refusal(errors.BAD_PARAMETER, "Only Status can be updated here")
            if call.over:
                raise errors.refusal(errors.INVALID_STATE)
            self._witness.write("call_update", account=call.account_sid, sid=call.sid, asked=status)
            # A cancel does not touch a call in progress: that is what "completed" is for.
            if status == "completed" or call.status != "in-progress":
                self._exchange.hang_up(call)
            return Deed(JSONResponse(call_resource(call)))

        return await self._conversation.hold(request, act)

    async def list_recordings(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            account = self._authenticated(request)
            query = _query(request)
            found = self._archive.recordings(account.account_sid, query.text("CallSid"))
            return Deed(JSONResponse(page_of(query, "recordings", found[::-1], recording_resource)))

        return await self._conversation.hold(request, act)

    async def list_call_recordings(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            call = self._call(request)
            found = self._archive.recordings(call.account_sid, call.sid)[::-1]
            page = page_of(_query(request), "recordings", found, call_recording_resource)
            return Deed(JSONResponse(page))

        return await self._conversation.hold(request, act)

    async def fetch_recording(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            return Deed(JSONResponse(recording_resource(self._recording(request))))

        return await self._conversation.hold(request, act)

    async def delete_recording(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            self._exchange.delete_recording(self._recording(request))
            return Deed(Response(status_code=204))

        return await self._conversation.hold(request, act)

    async def fetch_wav(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            recording = self._audible(request)
            shape = (recording.seconds, recording.channels)
            size = wav_size(*shape)
            self._note_media(recording, "wav", size)
            return Deed(sized_stream(wav_chunks(recording.sid, *shape), size, "audio/x-wav"))

        return await self._conversation.hold(request, act)

    async def fetch_mp3(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            recording = self._audible(request)
            audio = mp3_bytes(recording.sid, recording.seconds)
            self._note_media(recording, "mp3", len(audio))
            return Deed(Response(audio, media_type="audio/mpeg"))

        return await self._conversation.hold(request, act)

    async def refuse_unknown(self, request: Request) -> Response:
        async def act(_: bytes, __: Effects) -> Deed:
            self._authenticated(request)
            raise errors.not_found(request.url.path)

        return await self._conversation.hold(request, act)

    def _authenticated(self, request: Request) -> Account:
        account_sid = request.path_params["account_sid"]
        return self._accounts.authenticate(account_sid, request.headers.get("authorization"))

    def _call(self, request: Request) -> Call:
        account = self._authenticated(request)
        call = self._archive.call(account.account_sid, request.path_params["sid"])
        if call is None:
            raise errors.not_found(request.url.path)
        return call

    def _recording(self, request: Request) -> Recording:
        account = self._authenticated(request)
        recording = self._archive.recording(account.account_sid, request.path_params["sid"])
        if recording is None:
            raise errors.not_found(request.url.path)
        return recording

    def _audible(self, request: Request) -> Recording:
        recording = self._recording(request)
        if recording.status != "completed":
            raise errors.not_found(request.url.path)
        return recording

    def _note_media(self, recording: Recording, form: str, size: int) -> None:
        self._witness.write(
            "media_fetched",
            account=recording.account_sid,
            sid=recording.sid,
            call_sid=recording.call_sid,
            form=form,
            size=size,
        )


def _public(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _query(request: Request) -> Query:
    return Query(request.url.path, dict(request.query_params))
