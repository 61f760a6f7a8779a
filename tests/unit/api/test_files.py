"""Files as people export them: encodings, delimiters, headers, rows that do not fit."""

from __future__ import annotations

import pytest

from trunkline_api.domain.candidates import Selection, select
from trunkline_api.domain.columns import map_columns
from trunkline_api.domain.countries import country_of
from trunkline_api.domain.texts import Unreadable, check_quotes, decode, read_table


def read(data: bytes, *, encoding: str | None = None, country: str = "DE") -> Selection:
    text = decode(data, encoding)
    table = read_table(text.content, most_rows=1000)
    check_quotes(text.content, table.delimiter)
    return select(table, country)


NAMES = "Telefon;Name\n0171 1234567;Jürgen Müller\n0171 1234568;Zoë Großmann\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
def test_an_encoding_is_found_out(encoding: str) -> None:
    found = read(NAMES.encode(encoding))
    assert [one.name for one in found.candidates] == ["Jürgen Müller", "Zoë Großmann"]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp1251", "Анна Каренина"), ("cp1255", "משה כהן"), ("shift_jis", "山田 太郎")],
)
def test_a_named_encoding_is_believed(encoding: str, name: str) -> None:
    found = read(f"phone,name\n+49 171 1234567,{name}\n".encode(encoding), encoding=encoding)
    assert found.candidates[0].name == name


@pytest.mark.parametrize(
    ("data", "encoding", "slug"),
    [
        (NAMES.encode("cp1252"), "utf-8", "import-undecodable"),
        (NAMES.encode(), "ascii", "import-undecodable"),
        (NAMES.encode(), "base64", "import-undecodable"),
        (NAMES.encode(), "no-such", "import-undecodable"),
        (b"", None, "import-empty"),
        (b"\r\n \r\n", None, "import-empty"),
        (b"phone,name\n", None, "import-empty"),
        (b"phone,name\n,\n", None, "import-empty"),
        (b"PK\x03\x04....", None, "import-not-csv"),
        (b"name,city\nAnna,Berlin\n", None, "import-no-phone-column"),
        (b'phone,name\n0171 1234567,"Anna\n0171 1234568,Bob\n', None, "import-ragged"),
        (b"phone\n1,2,3\n4,5,6\n7\n", None, "import-ragged"),
        (b"phone\n" + b"0171 1234567\n" * 1001, None, "import-too-large"),
    ],
)
def test_a_file_is_refused_whole(data: bytes, encoding: str | None, slug: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(data, encoding=encoding)
    assert refused.value.slug == slug


@pytest.mark.parametrize("first", [b"", b"sep=,\n"])
def test_a_header_of_any_width_is_refused_at_once(first: bytes) -> None:
    """To read one costs the square of its width: this one would take hours."""
    with pytest.raises(Unreadable) as refused:
        read(first + b"a," * 100_000 + b"phone\n0171 1234567\n")
    assert refused.value.slug == "import-too-large"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_any_script_is_found_out_without_a_mark(encoding: str) -> None:
    lines = [f"+49171{1_000_000 + n},山田 太郎,東京都千代田区一丁目一番一号" for n in range(50)]
    found = read("\n".join(["phone,name,city", *lines]).encode(encoding))
    assert found.candidates[49].variables == {"city": "東京都千代田区一丁目一番一号"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_found_out(delimiter: str) -> None:
    lines = [["Name", "Notes", "Mobile"], ["Anna", '"a, b; c | d"', "0171 1234567"]]
    found = read("\r\n".join(delimiter.join(line) for line in lines).encode())
    assert found.candidates[0].address == "+491711234567"
    assert found.candidates[0].variables == {"notes": "a, b; c | d"}


def test_excel_may_name_the_delimiter() -> None:
    found = read(b"sep=;\nphone;name\n0171 1234567;Anna\n12;Bob\n")
    assert found.candidates[0].name == "Anna"
    assert [(one.row_number, one.reason) for one in found.rejects] == [(4, "invalid_number")]


@pytest.mark.parametrize(
    "header",
    ["Phone", "MOBILE NUMBER", "Telefonnummer", "Téléphone", "N° de téléphone", "Teléfono Móvil",
     "Celular", "Cellulare", "Numer telefonu", "Телефон", "Номер телефона", "Cep Telefonu",
     "رقم الجوال", "טלפון נייד", "फ़ोन नंबर", "手机号码", "電話番号", "휴대폰번호", "Phone 1 - Value",
     "Customer phone no.", "phone_number", "PhoneNumber", "WhatsApp"],
)  # fmt: skip
def test_a_phone_column_is_known_in_many_languages(header: str) -> None:
    assert map_columns(["id", header]).phones == (1,)


@pytest.mark.parametrize("header", ["Phone type", "Phone 1 - Label", "phone ext", "Microphones"])
def test_what_only_sounds_like_a_phone_is_a_variable(header: str) -> None:
    assert map_columns([header]).phones == ()


def test_columns_in_any_order_and_the_rest_are_variables() -> None:
    headers = [
        "Amount Due",
        "Sprache",
        "Nachname",
        "E-Mail",
        "Vorname",
        "Land",
        "Tel.",
        "Amount due",
    ]
    mapping = map_columns(headers)
    assert mapping.phones == (6,)
    assert mapping.fields == {
        "language": 1, "last_name": 2, "email": 3, "first_name": 4, "country": 5,
    }  # fmt: skip
    assert mapping.variables == {0: "amount_due", 7: "amount_due_2"}


def test_a_mobile_is_preferred_and_the_other_number_fills_gaps() -> None:
    found = read(b"Phone,Mobile\n030 1234567,0171 1234567\n030 1234568,\n")
    assert [one.address for one in found.candidates] == ["+491711234567", "+49301234568"]


def test_every_row_is_a_contact_or_a_reject() -> None:
    rows = [
        "Name,Phone,Country,Time zone",
        "Anna,0171 1234567,,",
        "Anna again,+49 171 1234567,,",
        "",
        "Bob,(202) 555-0123,United States,America/New_York",
        "Carl,0171 1234568,Atlantis,",
        "Dora,,,",
        "Emil,0171 1234569,,Mars/Base",
        "Fred,0171 1234560,,,extra",
        "Gina,0171 1234561,,,",
    ]
    found = read("\n".join(rows).encode())
    assert found.rows == 8
    assert [one.address for one in found.candidates] == [
        "+491711234567", "+12025550123", "+491711234561",
    ]  # fmt: skip
    assert [(one.row_number, one.reason) for one in found.rejects] == [
        (3, "duplicate_in_file"),
        (6, "unknown_country"),
        (7, "missing_number"),
        (8, "unknown_time_zone"),
        (9, "ragged_row"),
    ]
    assert found.rows == len(found.candidates) + len(found.rejects)


def test_an_international_number_needs_no_known_country() -> None:
    found = read(b"phone,country\n+1 202 555 0123,Atlantis\n")
    assert found.candidates[0].country == "US"


def test_a_value_that_fills_a_chunk_is_rejected() -> None:
    found = read(f"phone,notes\n0171 1234567,{'x' * 9000}\n".encode())
    assert [one.reason for one in found.rejects] == ["value_too_long"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("de", "DE"), ("Deutschland", "DE"), ("USA", "US"), ("España", "ES"), ("ישראל", "IL"),
     ("日本", "JP"), ("Atlantis", None)],
)  # fmt: skip
def test_countries(text: str, code: str | None) -> None:
    assert country_of(text) == code
