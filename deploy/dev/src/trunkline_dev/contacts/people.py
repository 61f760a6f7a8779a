"""Who is in the demo's contacts: names and towns by country, each in the script of its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Country:
    """One country's customers. In a pattern `#` is any digit and blanks are the usual groups.

    The patterns are the ranges that the country's regulator keeps for films and books. Where
    there is none, they stay beside the example that libphonenumber prints.
    """

    share: int
    calling_code: str
    trunk: str
    patterns: tuple[str, ...]
    written: tuple[str, ...]
    towns: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    family_first: bool = False


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


COUNTRIES: Final[dict[str, Country]] = {
    "DE": Country(
        420, "49", "0",
        ("176 040690 ##", "171 39200 ##", "30 23125 ###", "40 66969 ###", "89 99998 ###",
         "221 4710 ###", "69 90009 ###"),
        ("", "", "", "DE", "Germany", "Deutschland"),
        _lines("Berlin|Köln|München|Frankfurt am Main|Hamburg|Halle (Saale)|Lübeck|Görlitz"),
        _words("Jürgen Anneliese Björn Zoë Käthe Łukasz Ayşe Emre Thảo François Siân Nguyễn Σοφία "
               "Дмитрий Ольга فاطمة יעל Mehmet Renée Jørgen Zbyněk Ioana Þóra Sören"),
        _words("Müller Größe Weiß Schröder Yılmaz Kowalczyk Özdemir Nguyễn Strauß D'Angelo "
               "Dvořák Παπαδόπουλος Иванов الحسن כהן O'Brien Ångström Țurcanu Jäger-Köhler"),
    ),
    "GB": Country(
        130, "44", "0", ("20 7946 0###", "161 496 0###", "113 496 0###", "131 496 0###"),
        ("GB", "UK", "United Kingdom"),
        _lines("London|Manchester|Leeds|Edinburgh|St. Ives, Cornwall"),
        _words("Siobhán Gareth Zoë Oluwaseun Priya Niamh Llŷr Chloë Ama Tomasz"),
        _words("O'Neill Llewellyn Okafor Brontë Patel McAllister Ó'Súilleabháin Begum Smyth-Jones"),
    ),
    "US": Country(
        140, "1", "", ("212 555 01##", "415 555 01##", "305 555 01##", "312 555 01##"),
        ("US", "USA", "United States"),
        _lines("New York, NY|San Francisco, CA|Miami, FL|Chicago, IL"),
        _words("José Beyoncé Wei María D'Andre Siddhārtha Noël Kai Anaïs LaTonya"),
        _words("Peña Washington Núñez Kealoha Begay Garcia-Ortiz Zhang O'Connor Müller"),
    ),
    "FR": Country(
        90, "33", "0", ("1 99 00 ## ##", "4 65 71 ## ##", "2 61 91 ## ##"),
        ("FR", "France"),
        _lines("Paris|Aix-en-Provence|Nîmes|Saint-Étienne|L'Haÿ-les-Roses"),
        _words("Chloé Jean-François Loïc Anaïs Benoît Maëlle Gaël Inès"),
        _words("Lefèvre d'Estaing Haÿ Béranger Nguyen L'Hôpital Çelik"),
    ),
    "AU": Country(
        40, "61", "0", ("2 5550 ####", "2 7010 ####", "3 5550 ####"), ("AU", "Australia"),
        _lines("Sydney|Wagga Wagga|Melbourne"),
        _words("Matilda Zoë Nguyet Bruce Kirra"),
        _words("Nguyen O'Dowd Papadopoulos Yunupingu"),
    ),
    "SE": Country(
        25, "46", "0", ("70 174 06 ##", "8 465 004 ##"), ("SE", "Sverige"),
        _lines("Göteborg|Malmö|Örebro"),
        _words("Åsa Göran Märta Öyvind"), _words("Öberg Sjöström Ångström Åkesson"),
    ),
    "IL": Country(
        20, "972", "0", ("50 234 56##",), ("IL", "ישראל"), _lines("תל אביב-יפו|חיפה|ירושלים"),
        _words("יעל אבי נועם שירה"), _lines("כהן|לוי|בן דוד|אברהמי"),
    ),
    "EG": Country(
        15, "20", "0", ("100 123 45##",), ("EG", "مصر"), _lines("القاهرة|الإسكندرية"),
        _words("أحمد فاطمة عمر ليلى"), _lines("عبد الرحمن|حسن|المصري"),
    ),
    "RU": Country(
        20, "7", "8", ("912 345 67 ##",), ("RU", "Россия"), _lines("Екатеринбург|Санкт-Петербург"),
        _words("Фёдор Ольга Дмитрий Юлия"), _words("Достоевский Щукина Ильин Ёлкин"),
    ),
    "UA": Country(
        15, "380", "0", ("50 123 45 ##",), ("UA", "Україна"), _lines("Київ|Львів"),
        _words("Олена Їжак Ґалина Тарас"), _words("Шевченко Ґудзь Коваль"),
    ),
    "GR": Country(
        20, "30", "", ("691 234 56##",), ("GR", "Ελλάδα"), _lines("Αθήνα|Θεσσαλονίκη"),
        _words("Γιώργος Ελένη Ανδρέας Χρυσούλα"), _words("Παπαδόπουλος Οικονόμου Καζαντζάκη"),
    ),
    "IN": Country(
        20, "91", "0", ("81234 567##",), ("IN", "भारत"), _lines("मुंबई|दिल्ली|बेंगलुरु"),
        _words("प्रिया अर्जुन लक्ष्मी राहुल"), _words("शर्मा पटेल कृष्णन सिंह"),
    ),
    "CN": Country(
        15, "86", "", ("131 2345 67##",), ("CN", "中国"), _lines("上海|北京"),
        _words("伟 秀英 小明 娜"), _words("王 李 欧阳 张"), family_first=True,
    ),
    "JP": Country(
        15, "81", "0", ("90 1234 56##",), ("JP", "日本"), _lines("東京|大阪|札幌"),
        _words("太郎 さくら 健一 ユキ"), _words("山田 渡邊 髙橋 佐藤"), family_first=True,
    ),
    "KR": Country(
        10, "82", "0", ("10 2000 12##",), ("KR", "대한민국"), _lines("서울|부산"),
        _words("민준 서연 지우"), _words("김 이 박"), family_first=True,
    ),
    "BR": Country(
        15, "55", "0", ("11 96123 45##",), ("BR", "Brasil"), _lines("São Paulo"),
        _words("João Conceição Thaís Luís"), _lines("dos Santos|Gonçalves|Araújo"),
    ),
    "TR": Country(
        15, "90", "0", ("501 234 56 ##",), ("TR", "Türkiye"), _lines("İstanbul|İzmir|Eskişehir"),
        _words("Ayşe İbrahim Çağla Şükrü"), _words("Yıldız Öztürk Işık Ağaoğlu"),
    ),
    "PL": Country(
        15, "48", "", ("512 345 6##",), ("PL", "Polska"), _lines("Łódź|Kraków"),
        _words("Zażółć Małgorzata Łukasz Żaneta"), _words("Wiśniewska Gęślą Jaźń"),
    ),
}  # fmt: skip

NOTES: Final = (
    "", "", "", "", "", "call after 5 pm", "prefers e-mail; no calls on Fridays", "VIP",
    'asked for "the blue one"', "rechnung offen; 2. Mahnung", "2 children, 1 dog", "très pressé",
    "אין להתקשר בשבת", "перезвонить в понедельник", "line 1\nline 2", "🙂 sehr nett", "=SUM(A1)",
)  # fmt: skip

# What people write into the column of numbers that cannot be called; each line is one kind.
USELESS: Final = (
    ("", "", "", "", "", "n/a", "-", "none"),
    ("ask reception", "see e-mail", "unknown?", "gibt keine Nummer an"),
    ("110", "112", "911"),
    ("+49 30 23125 12 ext. 5", "+1 212 555 0142 x203", "+44 20 7946 0123 ext 9"),
    ("+49 30 23125 123 456 789 000", "030 23125 12 30 23125 13 23125 14"),
    ("12", "030", "0142", "0049 030"),
    ("+999 123 4567", "+1 (212) 055-0142", "+44 7700 90012"),
    ("0900 1 234567", "0900 5 123456"),
    ("4.9302E+11", "4,9176E+12"),
)
