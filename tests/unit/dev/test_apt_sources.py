"""The mirror is read from the machine's own sources, whichever of apt's formats they are in."""

from pathlib import Path

import pytest

from trunkline_dev.servers.apt_sources import Source, debian_mirror, parse_deb822, parse_one_line

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://first.example/d
# in the middle of a stanza
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://folded.example/d
Suites:
 sid
Components:
 main
 contrib

Types: deb
Enabled: no
URIs: http://disabled.example/d
Suites: bookworm
Components: main
"""


def test_deb822() -> None:
    assert list(parse_deb822(DEB822)) == [
        Source("http://first.example/d", "bookworm", ("main", "contrib")),
        Source("http://first.example/d", "bookworm-updates", ("main", "contrib")),
        Source("http://folded.example/d", "sid", ("main", "contrib")),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "deb http://a.example/d bookworm main",
            [Source("http://a.example/d", "bookworm", ("main",))],
        ),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/d trixie main non-free # why",
            [Source("http://a.example/d", "trixie", ("main", "non-free"))],
        ),
        ("deb-src http://a.example/d bookworm main", []),
        ("# deb http://a.example/d bookworm main", []),
        ("", []),
    ],
)
def test_one_line(line: str, expected: list[Source]) -> None:
    assert list(parse_one_line([line])) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sources.list": "deb http://old.example/d bookworm main"}, "http://old.example/d"),
        ({"sources.list.d/debian.sources": DEB822}, "http://first.example/d"),
        (
            {
                "sources.list": "deb cdrom:[Debian]/ bookworm main",
                "sources.list.d/a.list": "deb http://other.example/d nodistro main",
                "sources.list.d/b.sources": DEB822,
            },
            "http://first.example/d",
        ),
        ({"sources.list": "deb http://sec.example/d bookworm-security main"}, None),
        ({"sources.list": "deb http://u.example/u noble main universe"}, None),
        ({"sources.list.d/readme.txt": "deb http://a.example/d bookworm main"}, None),
        ({}, None),
    ],
)
def test_the_first_source_of_the_main_archive_is_the_mirror(
    tmp_path: Path, files: dict[str, str], expected: str | None
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)

    assert debian_mirror(tmp_path) == expected
