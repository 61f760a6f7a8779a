"""A dialogue as TwiML, one document after another: pure, so a repeated request hears the same.

Each document goes up to the next question. What is pressed is sent to the address that the
question carries, together with the place in the dialogue: nothing is kept between two requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from twilio.twiml.voice_response import Gather as GatherVerb
from twilio.twiml.voice_response import VoiceResponse

from trunkline_api.domain.steps import (
    UNSPEAKABLE,
    Action,
    Confirm,
    Connect,
    Dialogue,
    Gather,
    HangUp,
    OptOut,
    Play,
    Repeat,
    Say,
)
from trunkline_common.placeholders import filled

LONGEST_SAY: Final = 4_096  # characters that Twilio speaks in one go

Meaning = Literal["opt_out", "confirm", "connect", "repeat", "hang_up", "no_input"]


class Links(Protocol):
    """Addresses that the provider is to ask; each proves by itself that we made it."""

    def digits(self, step: int, turn: int) -> str:
        """Where the keys go that are pressed when step `step` asks for the `turn`-th time."""
        ...

    def dialled(self, step: int, digits: str) -> str:
        """Where the end of a connection goes that these keys asked for."""
        ...

    def leg(self) -> str:
        """Where the progress of an agent's leg goes."""
        ...

    def media(self, media_id: str) -> str:
        """Where a file is."""
        ...


@dataclass(frozen=True, slots=True)
class Reaction:
    """What pressed keys mean, and the document that answers them."""

    meaning: Meaning
    document: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks a dialogue to one contact. `caller_id` is what an agent's phone shows."""

    dialogue: Dialogue
    links: Links
    values: Mapping[str, str]
    caller_id: str

    def opening(self) -> str:
        """What is said to whoever picks up."""
        response = VoiceResponse()
        self._go_on(response, 0)
        return str(response)

    def to_a_machine(self) -> str:
        """The message after the beep; without one the call is over."""
        response = VoiceResponse()
        self._say(response, self.dialogue.voicemail or ())
        if not self.dialogue.voicemail:
            response.hangup()
        return str(response)

    def answer(self, step: int, turn: int, digits: str) -> Reaction | None:
        """React to keys, `""` for none; None where the dialogue asks nothing at this place."""
        asked = self._question(step)
        if asked is None:
            return None
        response = VoiceResponse()
        if not digits:
            self._after_silence(response, asked, step, turn)
            return Reaction("no_input", str(response))
        action = asked.actions.get(digits, asked.other)
        self._act(response, action, (step, turn), digits)
        return Reaction(action.do, str(response))

    def after_connection(self, step: int, digits: str, status: str) -> str | None:
        """The end of a connection; None where these keys connect nobody."""
        asked = self._question(step)
        action = asked.actions.get(digits, asked.other) if asked else None
        if not isinstance(action, Connect):
            return None
        response = VoiceResponse()
        if status not in ("completed", "answered") and action.otherwise is not None:
            self._words(response, action.otherwise)
        response.hangup()
        return str(response)

    def _question(self, step: int) -> Gather | None:
        story = self.dialogue.story
        found = story[step] if 0 <= step < len(story) else None
        return found if isinstance(found, Gather) else None

    def _go_on(self, response: VoiceResponse, start: int) -> None:
        """Everything from a step up to the next question, or to the end."""
        for at, step in enumerate(self.dialogue.story[start:], start=start):
            if isinstance(step, Gather):
                self._ask(response, step, at, turn=0)
                return
            self._say(response, [step])

    def _ask(self, response: VoiceResponse, asked: Gather, step: int, *, turn: int) -> None:
        gather = GatherVerb(
            input="dtmf",
            num_digits=asked.digits,
            timeout=asked.timeout,
            finish_on_key="",  # every key may be an answer
            action=self.links.digits(step, turn),
            method="POST",
            action_on_empty_result=True,
        )
        self._say(gather, asked.prompt)
        response.append(gather)

    def _again(self, response: VoiceResponse, asked: Gather, step: int, turn: int) -> None:
        if turn < asked.most_repeats:
            self._ask(response, asked, step, turn=turn + 1)
        else:
            self._go_on(response, step + 1)

    def _after_silence(self, response: VoiceResponse, asked: Gather, step: int, turn: int) -> None:
        if asked.no_input == "repeat":
            self._again(response, asked, step, turn)
        elif asked.no_input == "go_on":
            self._go_on(response, step + 1)
        else:
            response.hangup()

    def _act(
        self, response: VoiceResponse, action: Action, place: tuple[int, int], digits: str
    ) -> None:
        step, turn = place
        if not isinstance(action, Repeat) and action.say is not None:
            self._words(response, action.say)
        match action:
            case OptOut() | HangUp():
                response.hangup()
            case Confirm():
                self._go_on(response, step + 1)
            case Connect():
                self._dial(response, action, self.links.dialled(step, digits))
            case Repeat():
                asked = self._question(step)
                if asked is not None:
                    self._again(response, asked, step, turn)

    def _dial(self, response: VoiceResponse, action: Connect, ended: str) -> None:
        dial = response.dial(
            action=ended,
            method="POST",
            caller_id=self.caller_id,
            timeout=action.ring_timeout,
            time_limit=action.time_limit,
        )
        dial.number(
            action.to,
            status_callback=self.links.leg(),
            status_callback_event="answered completed",
            status_callback_method="POST",
        )

    def _say(self, verb: VoiceResponse | GatherVerb, parts: Sequence[Say | Play]) -> None:
        for part in parts:
            if isinstance(part, Play):
                verb.play(self.links.media(part.media_id))
            else:
                self._words(verb, part.text, part.language, part.voice)

    def _words(
        self,
        verb: VoiceResponse | GatherVerb,
        text: str,
        language: str | None = None,
        voice: str | None = None,
    ) -> None:
        spoken = UNSPEAKABLE.sub(" ", filled(text, self.values))[:LONGEST_SAY]
        more = {"voice": voice or self.dialogue.voice} if voice or self.dialogue.voice else {}
        verb.say(spoken, language=language or self.dialogue.language, **more)


def values_of(dialogue: Dialogue, known: Mapping[str, str]) -> dict[str, str]:
    """What fills each declared gap for one contact: its own value, else the default, else nothing.

    A start is refused while a value is missing, so nothing is what remains after a deletion.
    """
    return {
        name: known.get(name) or variable.default or ""
        for name, variable in dialogue.variables.items()
    }


def is_machine(answered_by: str) -> bool:
    """Whether answering-machine detection says that nobody is listening."""
    return answered_by.startswith("machine") or answered_by == "fax"
