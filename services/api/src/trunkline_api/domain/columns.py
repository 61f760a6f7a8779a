"""Which column of somebody's file means what, whatever its language, spelling and order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Earlier means preferred: a mobile number is dialled before a number that is merely called "phone".
_PHONE: Final = (
    "mobile", "mobile phone", "mobile number", "mobile no", "cell", "cell phone", "cellphone",
    "cell number", "handy", "handynummer", "mobil", "mobilnummer", "mobiltelefon", "portable",
    "telephone portable", "tel portable", "movil", "telefono movil", "celular", "telemovel",
    "cellulare", "komorka", "telefon komorkowy", "gsm", "cep", "cep telefonu", "cep tel",
    "мобильный", "мобильный телефон", "мобільний", "جوال", "رقم الجوال", "موبايل",
    "الهاتف المحمول", "נייד", "טלפון נייד", "מספר נייד", "मोबाइल", "मोबाइल नंबर", "手机",
    "手机号", "手机号码", "携帯", "携帯電話", "携帯番号", "휴대폰", "휴대전화", "휴대폰번호",
    "whatsapp", "whatsapp number", "phone", "phone number", "phone no", "phonenumber", "phone 1",
    "phone 1 value", "primary phone", "telephone", "telephone number", "tel", "tel no", "tel nr",
    "number", "contact number", "msisdn", "e164", "telefon", "telefonnummer", "rufnummer",
    "nummer", "numero de telephone", "numero", "numero tel", "telefono", "numero de telefono",
    "fone", "telefone", "numero de telefone", "numero di telefono", "recapito telefonico",
    "telefoon", "telefoonnummer", "numer", "numer telefonu", "nr telefonu", "телефон",
    "номер телефона", "номер", "номер телефону", "telefon numarasi", "هاتف", "الهاتف",
    "رقم الهاتف", "טלפון", "מספר טלפון", "फोन", "फ़ोन", "फोन नंबर", "电话", "电话号码", "電話",
    "電話番号", "전화", "전화번호", "home phone", "work phone", "business phone",
)  # fmt: skip
_NAME: Final = (
    "name", "full name", "fullname", "contact", "contact name", "customer", "customer name",
    "display name", "vollstandiger name", "kunde", "nom complet", "nombre completo",
    "nome completo", "nominativo", "naam", "volledige naam", "imie i nazwisko", "фио",
    "полное имя", "ім я", "имя и фамилия", "ad soyad", "adi soyadi", "الاسم", "الاسم الكامل",
    "שם", "שם מלא", "नाम", "पूरा नाम", "姓名", "名前", "氏名", "이름", "성명",
)  # fmt: skip
_FIRST_NAME: Final = (
    "first name", "firstname", "given name", "forename", "vorname", "prenom", "nombre",
    "primer nombre", "nome", "primeiro nome", "voornaam", "imie", "имя", "ad", "isim", "adi",
    "الاسم الاول", "الاسم الأول", "שם פרטי", "पहला नाम", "名", "名字",
)  # fmt: skip
_LAST_NAME: Final = (
    "last name", "lastname", "surname", "family name", "nachname", "familienname", "nom",
    "nom de famille", "apellido", "apellidos", "cognome", "sobrenome", "apelido", "achternaam",
    "nazwisko", "фамилия", "прізвище", "soyad", "soyadi", "soyisim", "اسم العائلة", "שם משפחה",
    "姓", "उपनाम",
)  # fmt: skip
_EMAIL: Final = (
    "email", "e mail", "mail", "email address", "e mail address", "e mail 1 value",
    "e mail adresse", "courriel", "adresse e mail", "adresse email", "correo",
    "correo electronico", "posta elettronica", "e posta", "почта", "электронная почта",
    "эл почта", "пошта", "البريد الالكتروني", "البريد الإلكتروني", "דואר אלקטרוני", "אימייל",
    "מייל", "ईमेल", "邮箱", "电子邮件", "メール", "メールアドレス", "이메일",
)  # fmt: skip
_COUNTRY: Final = (
    "country", "country code", "land", "pays", "pais", "paese", "kraj", "страна", "країна",
    "ulke", "الدولة", "البلد", "מדינה", "ארץ", "देश", "国家", "国", "국가",
)  # fmt: skip
_LANGUAGE: Final = (
    "language", "lang", "locale", "sprache", "langue", "idioma", "lingua", "taal", "jezyk",
    "язык", "мова", "dil", "اللغة", "שפה", "भाषा", "语言", "言語", "언어",
)  # fmt: skip
_ZONE: Final = (
    "time zone", "timezone", "tz", "zeitzone", "fuseau horaire", "zona horaria", "fuso horario",
    "fuso orario", "tijdzone", "strefa czasowa", "часовой пояс", "часовий пояс", "saat dilimi",
    "المنطقة الزمنية", "אזור זמן", "समय क्षेत्र", "时区", "タイムゾーン", "시간대",
)  # fmt: skip
_NOT_A_NUMBER: Final = frozenset(
    {"type", "label", "code", "country", "ext", "extension", "carrier", "provider", "id", "date"}
)
_PHONE_WORDS: Final = frozenset(
    {"phone", "mobile", "cell", "tel", "telephone", "telefon", "telefono", "telefone", "whatsapp"}
    | {"handy", "movil", "celular", "телефон", "טלפון", "נייד", "هاتف", "جوال"}
)


def header_form(header: str) -> str:
    """A header without case, accents, points and doubled blanks."""
    folded = unicodedata.normalize("NFKD", header).casefold().replace("ı", "i")
    letters = "".join(c for c in folded if not unicodedata.combining(c) or ord(c) > 0x0590)
    return " ".join(re.sub(r"[^\w]|_", " ", unicodedata.normalize("NFC", letters)).split())


def _ranked(names: Sequence[str]) -> dict[str, int]:
    return {header_form(name): rank for rank, name in reversed(list(enumerate(names)))}


_FIELDS: Final = {
    "name": _ranked(_NAME),
    "first_name": _ranked(_FIRST_NAME),
    "last_name": _ranked(_LAST_NAME),
    "email": _ranked(_EMAIL),
    "country": _ranked(_COUNTRY),
    "language": _ranked(_LANGUAGE),
    "time_zone": _ranked(_ZONE),
}
_PHONE_RANK: Final = _ranked(_PHONE)
_LOOSE_RANK: Final = len(_PHONE)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Positions of what we understand; every other column is a variable under its own name."""

    phones: tuple[int, ...]  # the first one that is filled in a row is that row's number
    fields: dict[str, int]
    variables: dict[int, str]

    def described(self, headers: Sequence[str]) -> dict[str, str]:
        """Header by header, what it was taken for: shown to whoever imported the file."""
        shown = {headers[at]: "phone" for at in self.phones}
        shown |= {headers[at]: field for field, at in self.fields.items()}
        return shown | {headers[at]: f"variable {name}" for at, name in self.variables.items()}


def _phone_rank(form: str) -> int | None:
    words = set(form.split())
    if form in _PHONE_RANK:
        return _PHONE_RANK[form]
    return _LOOSE_RANK if words & _PHONE_WORDS and not words & _NOT_A_NUMBER else None


def map_columns(headers: Sequence[str]) -> Mapping:
    """Read a header line. No phone column is a mapping without phones; the caller refuses."""
    forms = [header_form(header) for header in headers]
    ranked = [
        (rank, at) for at, form in enumerate(forms) if (rank := _phone_rank(form)) is not None
    ]
    phones = tuple(at for _, at in sorted(ranked))
    fields: dict[str, int] = {}
    for field, names in _FIELDS.items():
        found = [(names[form], at) for at, form in enumerate(forms) if form in names]
        if found and min(found)[1] not in phones:
            fields[field] = min(found)[1]
    taken = {*phones, *fields.values()}
    variables: dict[int, str] = {}
    for at, form in enumerate(forms):
        if at not in taken and form:
            variables[at] = _unused(form.replace(" ", "_"), set(variables.values()))
    return Mapping(phones, fields, variables)


def _unused(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
