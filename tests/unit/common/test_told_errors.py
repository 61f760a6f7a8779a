"""What an error may say: enough to mend it, and nothing of the person it was about."""

from __future__ import annotations

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError, NoResultFound

from trunkline_common.telemetry import named, shown, told

PHONE = "+4915112345678"


class Person(BaseModel):
    age: int


def refused_by_pydantic() -> Exception:
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"age": "Anna"})
    return caught.value


def database(cause: Exception) -> Exception:
    return DBAPIError("INSERT INTO people VALUES ($1)", {"name": "Anna"}, cause)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(f"cannot dial {PHONE}"), "cannot dial +…78"),
        (KeyError(), ""),
        (NoResultFound("No row was found"), "No row was found"),
        (
            database(asyncpg.UniqueViolationError('violates unique constraint "people_pkey"')),
            '23505 violates unique constraint "people_pkey" [SQL: INSERT INTO people VALUES ($1)]',
        ),
        (
            database(asyncpg.DataError("invalid input for query argument $1: 'Anna'")),
            "22000 [SQL: INSERT INTO people VALUES ($1)]",
        ),
        (asyncpg.InvalidTextRepresentationError('invalid integer: "Anna"'), "22P02"),
        (refused_by_pydantic(), "Person: age: int_parsing"),
    ],
)
def test_a_message_has_nobodys_data_in_it(error: Exception, said: str) -> None:
    assert told(error) == said


def test_what_the_server_adds_is_left_out() -> None:
    error = asyncpg.CheckViolationError('violates check constraint "c"')
    error.detail = f"Failing row contains (Anna, {PHONE})."
    assert "Anna" in str(error)
    assert named(error) == 'CheckViolationError: 23514 violates check constraint "c"'


def test_a_traceback_tells_every_error_of_a_chain_and_a_group_so() -> None:
    def fail(name: str) -> None:
        try:
            raise asyncpg.DataError(f"argument $1: {name}")
        except asyncpg.DataError as error:
            raise ValueError(f"for {PHONE}") from error

    with pytest.raises(ValueError, match="for") as caught:
        fail("An" + "na")
    text = shown(ExceptionGroup("two", [caught.value, KeyError("x")]))
    assert "Anna" not in text
    assert PHONE not in text
    for line in ("DataError: 22000", "ValueError: for +…78", "KeyError: 'x'", "in fail"):
        assert line in text
