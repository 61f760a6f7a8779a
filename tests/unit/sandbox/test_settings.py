"""A wrong setting is one line that names its variable."""

import pytest

from trunkline_sandbox.__main__ import main


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SANDBOX_PORT", "many"),
        ("SANDBOX_MIX", "sleepy=1"),
        ("SANDBOX_SPEED", "0"),
        ("SANDBOX_LOG", "/"),
    ],
)
def test_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    assert main(["serve"]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"{name}: ")
    assert complaint.count("\n") == 1


def test_the_command_line_wins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANDBOX_PORT", "8090")
    assert main(["serve", "--port", "none"]) == 2
    assert capsys.readouterr().err.startswith("SANDBOX_PORT: ")


def test_help_names_options_and_variables(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for word in ("--speed", "SANDBOX_SPEED", "--seed", "--log", "SANDBOX_BODY_TIMEOUT"):
        assert word in text
