"""What a call does once somebody, or something, has picked up: an ordered list of steps.

A `Dialogue` is kept as JSON and read again for each call; `speech.py` turns it into TwiML.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from trunkline_common.placeholders import NAME, gaps_in, is_well_formed

MOST_STEPS: Final = 20
MOST_WORDS: Final = 16_000  # characters of a dialogue: its document stays below Twilio's 64 KiB
LONGEST_DIGITS: Final = 16

# XML 1.0 has no way to write these, escaped or not: one of them would make the call fail.
UNSPEAKABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def speakable(text: str) -> str:
    """The text, if it can be spoken or written and its gaps are well formed."""
    if UNSPEAKABLE.search(text):
        message = "holds a control character"
        raise ValueError(message)
    if not is_well_formed(text):
        message = "double braces are for variables, such as {{first_name}}"
        raise ValueError(message)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=4000), AfterValidator(speakable)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")]
Voice = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,16}$")]
MediaId = Annotated[str, StringConstraints(min_length=1, max_length=40)]
VariableName = Annotated[str, StringConstraints(pattern=NAME)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Part):
    """A name that texts use as `{{name}}`. Without a default every contact must have a value."""

    default: Annotated[str, StringConstraints(max_length=500)] | None = None


class Say(_Part):
    """Speak a text; language and voice are the content's unless told."""

    do: Literal["say"]
    text: Text
    language: Language | None = None
    voice: Voice | None = Field(default=None, description="such as `Polly.Vicki-Neural`")


class Play(_Part):
    """Play a file of the business, see /v1/media."""

    do: Literal["play"]
    media_id: MediaId


class OptOut(_Part):
    """Never call or write to this number again, on behalf of this business; then hang up."""

    do: Literal["opt_out"]
    say: Text = Field(description="tells that it was done")


class Confirm(_Part):
    """Note the key as an answer, and go on with the next step."""

    do: Literal["confirm"]
    say: Text | None = None


class Connect(_Part):
    """Ring an agent and join the two; when they are done, or nobody answers, hang up."""

    do: Literal["connect"]
    to: Number = Field(description="the agent's number, E.164")
    say: Text | None = None
    ring_timeout: int = Field(default=20, ge=5, le=120, description="seconds")
    time_limit: int = Field(default=3600, ge=10, le=14_400, description="seconds, of both")
    otherwise: Text | None = Field(default=None, description="said if nobody answered")


class Repeat(_Part):
    """Ask again."""

    do: Literal["repeat"]


class HangUp(_Part):
    """End the call."""

    do: Literal["hang_up"]
    say: Text | None = None


Said = Annotated[Say | Play, Field(discriminator="do")]
Action = Annotated[OptOut | Confirm | Connect | Repeat | HangUp, Field(discriminator="do")]


class Gather(_Part):
    """Ask for keys and act on them. Whoever was asked often enough goes on with the next step."""

    do: Literal["gather"]
    prompt: tuple[Said, ...] = Field(min_length=1, max_length=10)
    digits: int = Field(default=1, ge=1, le=LONGEST_DIGITS, description="how many keys")
    timeout: int = Field(default=5, ge=1, le=60, description="seconds to wait for the next key")
    actions: dict[Digits, Action] = Field(
        min_length=1, max_length=20, description="by what was pressed"
    )
    other: Action = Field(default=Repeat(do="repeat"), description="after any other keys")
    no_input: Literal["go_on", "repeat", "hang_up"] = "go_on"
    most_repeats: int = Field(default=2, ge=0, le=5)

    @model_validator(mode="after")
    def _can_all_be_pressed(self) -> Gather:
        for digits in self.actions:
            if len(digits) != self.digits:
                message = f"`{digits}` can never be pressed: the step takes {self.digits} keys"
                raise ValueError(message)
        return self


Step = Annotated[Say | Play | Gather, Field(discriminator="do")]


class Dialogue(_Part):
    """What is said: `script` or `steps` in a call, `text` in a message.

    `script` is short for one step that speaks it.
    """

    script: Text | None = None
    text: Text | None = Field(default=None, description="of a WhatsApp message")
    steps: tuple[Step, ...] | None = Field(default=None, min_length=1, max_length=MOST_STEPS)
    voicemail: tuple[Said, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=10,
        description="left after the beep if a machine answers, instead of the steps",
    )
    language: Language = "en-US"
    voice: Voice | None = None
    variables: dict[VariableName, Variable] = Field(
        default_factory=dict, max_length=50, description="every name that texts use, by name"
    )

    @model_validator(mode="after")
    def _is_one_story(self) -> Dialogue:
        if self.script is not None and self.steps is not None:
            message = "give either script or steps"
            raise ValueError(message)
        if sum(len(text) for _, text in texts_of(self)) > MOST_WORDS:
            message = f"more than {MOST_WORDS} characters in all"
            raise ValueError(message)
        return self

    @property
    def story(self) -> tuple[Step, ...]:
        """The steps, whichever way they were given."""
        if self.steps is not None:
            return self.steps
        if self.script is None:
            return ()
        return (Say.model_construct(do="say", text=self.script),)  # its text was judged before


def texts_of(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Every text with its place, as a path below the dialogue."""
    if dialogue.script is not None:
        yield "script", dialogue.script
    if dialogue.text is not None:
        yield "text", dialogue.text
    for at, step in enumerate(dialogue.steps or ()):
        yield from _texts_of_step(f"steps/{at}", step)
    for at, said in enumerate(dialogue.voicemail or ()):
        yield from _texts_of_step(f"voicemail/{at}", said)


def _texts_of_step(place: str, step: Say | Play | Gather) -> Iterator[tuple[str, str]]:
    if isinstance(step, Say):
        yield f"{place}/text", step.text
    if not isinstance(step, Gather):
        return
    for at, said in enumerate(step.prompt):
        yield from _texts_of_step(f"{place}/prompt/{at}", said)
    for where, action in _actions_of(step):
        for name in ("say", "otherwise"):
            text = getattr(action, name, None)
            if text is not None:
                yield f"{place}/{where}/{name}", text


def _actions_of(step: Gather) -> Iterator[tuple[str, Action]]:
    yield from ((f"actions/{digits}", action) for digits, action in step.actions.items())
    yield "other", step.other


def media_of(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Every file that is played, with its place."""
    for at, step in enumerate(dialogue.story):
        if isinstance(step, Play):
            yield f"steps/{at}/media_id", step.media_id
        for nth, said in enumerate(step.prompt if isinstance(step, Gather) else ()):
            if isinstance(said, Play):
                yield f"steps/{at}/prompt/{nth}/media_id", said.media_id
    for at, said in enumerate(dialogue.voicemail or ()):
        if isinstance(said, Play):
            yield f"voicemail/{at}/media_id", said.media_id


def undeclared_in(
    texts: Iterable[tuple[str, str]], declared: Container[str]
) -> list[tuple[str, str]]:
    """Gaps (place, name) whose name nobody declared."""
    named = [(place, name) for place, text in texts for name in gaps_in(text)]
    return [(place, name) for place, name in named if name not in declared]


def required_of(variables: dict[str, Variable]) -> list[str]:
    """The names for which every contact must bring a value."""
    return sorted(name for name, variable in variables.items() if variable.default is None)
