"""The demo's CSV is what its seed makes, and holds what people's files hold."""

import unicodedata

from trunkline_api.domain.candidates import Selection, select
from trunkline_api.domain.texts import decode, read_table
from trunkline_dev.checkout import checkout_root
from trunkline_dev.contacts import COLUMNS, ROWS, sheet

COMMITTED = checkout_root() / "deploy" / "dev" / "contacts.csv"


def judged() -> Selection:
    text = decode(sheet(), None)
    return select(read_table(text.content, most_rows=ROWS), "DE")


def test_the_committed_file_is_the_one_that_the_seed_makes() -> None:
    assert COMMITTED.read_bytes() == sheet(), "run `python -m trunkline_dev.contacts`"


def test_most_rows_can_be_called_and_every_kind_of_mistake_is_there() -> None:
    selection = judged()
    reasons = selection.reasons()

    assert selection.rows == ROWS
    assert len(selection.candidates) == 933
    assert len(selection.candidates) + sum(reasons.values()) == ROWS
    assert reasons["duplicate_in_file"] == 34
    assert reasons.keys() >= {
        "missing_number", "not_a_number", "short_code", "extension_not_supported", "too_long",
        "invalid_number", "premium_number", "damaged_by_spreadsheet", "ragged_row",
    }  # fmt: skip


def test_names_are_in_many_scripts_and_columns_in_an_order_of_their_own() -> None:
    selection = judged()
    letters = "".join(candidate.name or "" for candidate in selection.candidates)
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters if letter.isalpha()}

    assert selection.columns["Mobile"] == "phone"
    assert COLUMNS.index("Mobile") > COLUMNS.index("Customer") > 0
    assert scripts >= {
        "LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "DEVANAGARI", "CJK", "HANGUL",
    }  # fmt: skip
