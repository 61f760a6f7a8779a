"""Takes each message from accepted to as far as its fate goes, and says so by webhook."""

import json
from datetime import datetime
from functools import partial

from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.fates import Journey, message_fate
from trunkline_sandbox.mailbox import Mailbox, Mishaps
from trunkline_sandbox.refusals import RefusalError
from trunkline_sandbox.tally import Tally
from trunkline_sandbox.voice.tempo import Tempo
from trunkline_sandbox.whatsapp.messages import Message, MessageOrder, new_wamid, read_order
from trunkline_sandbox.whatsapp.numbers import BusinessNumber, BusinessNumbers
from trunkline_sandbox.whatsapp.webhooks import status_letter
from trunkline_sandbox.witness import Entry, Witness

STATIONS: dict[Journey, tuple[str, ...]] = {
    "read": ("sent", "delivered", "read"),
    "delivered": ("sent", "delivered"),
    "sent": ("sent",),
    "failed": ("failed",),
}
# The answer to the request should leave before the first webhook: real time, any speed.
HEAD_START = 0.02


class Postman:
    """All messages of all numbers that are still under way."""

    def __init__(
        self,
        tempo: Tempo,
        agenda: Agenda,
        mailbox: Mailbox,
        witness: Witness,
        tally: Tally,
        numbers: BusinessNumbers,
    ) -> None:
        self._tempo = tempo
        self._agenda = agenda
        self._mailbox = mailbox
        self._witness = witness
        self._tally = tally
        self._numbers = numbers
        self._under_way: dict[str, Message] = {}

    def accept(self, number: BusinessNumber, order: MessageOrder, mishaps: Mishaps) -> Message:
        """Take a message on. When this returns, the witness has it."""
        nth = self._tally.accepted_for(number.phone_number_id, order.to)
        message = Message(
            wamid=new_wamid(order.wa_id),
            phone_number_id=number.phone_number_id,
            order=order,
            fate=message_fate(self._tempo.seed, order.to, nth),
            mishaps=mishaps,
        )
        self._witness.write(
            "message_accepted",
            account=number.phone_number_id,
            sid=message.wamid,
            to=order.to,
            **{"from": number.display_phone_number},
            reference=order.callback_data,
            callback=number.webhook_url,
            nth=nth,
            form=order.request,
        )
        self._under_way[message.wamid] = message
        self._plan(message, HEAD_START)
        return message

    def remember(self, entry: Entry) -> None:
        """Take in one line of an earlier process's log."""
        if entry["kind"] == "message_accepted":
            try:
                order = read_order(json.dumps(entry["form"]).encode())
            except RefusalError:
                return
            self._under_way[entry["sid"]] = Message(
                wamid=entry["sid"],
                phone_number_id=entry["account"],
                order=order,
                fate=message_fate(self._tempo.seed, entry["to"], entry["nth"]),
            )
        elif entry["kind"] == "message_status":
            message = self._under_way.get(entry["sid"])
            if message is not None:
                message.said += 1
                self._forget_if_done(message)

    def resume(self) -> None:
        """Go on with what an earlier process left open."""
        for message in self._under_way.values():
            self._plan(message)

    def _plan(self, message: Message, head_start: float = 0.0) -> None:
        delay = message.fate.delays[message.said] / self._tempo.speed
        self._agenda.after(max(delay, head_start), partial(self._arrive, message))

    def _arrive(self, message: Message) -> None:
        stations = STATIONS[message.fate.journey]
        status = stations[message.said]
        message.said += 1
        self._say(message, status, self._tempo.now(), final=message.said == len(stations))
        if not self._forget_if_done(message):
            self._plan(message)

    def _forget_if_done(self, message: Message) -> bool:
        done = message.said >= len(STATIONS[message.fate.journey])
        if done:
            del self._under_way[message.wamid]
        return done

    def _say(self, message: Message, status: str, at: datetime, *, final: bool) -> None:
        facts = {
            "account": message.phone_number_id,
            "sid": message.wamid,
            "to": message.order.to,
        }
        self._witness.write("message_status", **facts, status=status, final=final)
        number = self._numbers.get(message.phone_number_id)
        if number is None or not number.webhook_url:
            return
        letter = status_letter(number, message, status, at)
        self._mailbox.post(
            message.wamid,
            letter,
            {**facts, "event": status},
            mishaps=message.mishaps,
            sent=message.first_callback.set,
        )
