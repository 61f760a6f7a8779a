"""The country that a file's cell means: alpha-2, alpha-3 of the common ones, or a name."""

from __future__ import annotations

from typing import Final

import phonenumbers

from trunkline_api.domain.columns import header_form

_NAMES: Final = {
    "US": "usa|united states|united states of america|estados unidos|etats unis|ארצות הברית",
    "GB": "gbr|uk|united kingdom|great britain|england|scotland|wales|royaume uni|reino unido",
    "CA": "can|canada|kanada", "AU": "aus|australia", "NZ": "nzl|new zealand",
    "IE": "irl|ireland",
    "DE": "deu|ger|germany|deutschland|allemagne|alemania|germania|niemcy|германия|almanya|גרמניה",
    "AT": "aut|austria|osterreich|autriche", "CH": "che|switzerland|schweiz|suisse|svizzera",
    "FR": "fra|france|frankreich|francia|franca|צרפת",
    "BE": "bel|belgium|belgie|belgique|belgien",
    "NL": "nld|netherlands|the netherlands|holland|nederland|niederlande|pays bas",
    "LU": "lux|luxembourg", "ES": "esp|spain|espana|spanien|espagne|ספרד", "PT": "prt|portugal",
    "IT": "ita|italy|italia|italien|italie|איטליה", "GR": "grc|greece|ελλαδα",
    "PL": "pol|poland|polska|polen|pologne|польша|польща",
    "CZ": "cze|czechia|czech republic|cesko", "SK": "svk|slovakia|slovensko",
    "HU": "hun|hungary|magyarorszag", "RO": "rou|romania", "BG": "bgr|bulgaria|българия",
    "SE": "swe|sweden|sverige|schweden", "NO": "nor|norway|norge", "DK": "dnk|denmark|danmark",
    "FI": "fin|finland|suomi", "UA": "ukr|ukraine|україна|украина",
    "RU": "rus|russia|russian federation|россия", "TR": "tur|turkey|turkiye|turkei",
    "IL": "isr|israel|ישראל|اسرائيل|إسرائيل",
    "AE": "are|uae|united arab emirates|الامارات|الإمارات", "SA": "sau|saudi arabia|ksa|السعودية",
    "EG": "egy|egypt|مصر", "JO": "jor|jordan|الاردن|الأردن", "LB": "lbn|lebanon|لبنان",
    "MA": "mar|morocco|maroc|المغرب", "ZA": "zaf|south africa", "NG": "nga|nigeria",
    "KE": "ken|kenya", "GH": "gha|ghana", "IN": "ind|india|bharat|भारत",
    "PK": "pak|pakistan|پاکستان", "BD": "bgd|bangladesh", "LK": "lka|sri lanka",
    "CN": "chn|china|中国", "HK": "hkg|hong kong|香港", "TW": "twn|taiwan|台灣",
    "JP": "jpn|japan|日本", "KR": "kor|south korea|korea|republic of korea|한국|대한민국",
    "SG": "sgp|singapore", "MY": "mys|malaysia", "ID": "idn|indonesia", "TH": "tha|thailand|ไทย",
    "VN": "vnm|vietnam", "PH": "phl|philippines", "BR": "bra|brazil|brasil|brasilien|bresil",
    "MX": "mex|mexico|mexiko", "AR": "arg|argentina|argentinien", "CL": "chl|chile",
    "CO": "col|colombia", "PE": "per|peru",
}  # fmt: skip
_BY_NAME: Final = {header_form(n): code for code, names in _NAMES.items() for n in names.split("|")}


def country_of(text: str) -> str | None:
    """Alpha-2 of a country that has telephones, or None where the text is not understood."""
    code = text.strip().upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    return _BY_NAME.get(header_form(text))
