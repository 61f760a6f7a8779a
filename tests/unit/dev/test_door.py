"""The door to the commands: help, and refusals in one line."""

import os
import subprocess
import sys

import pytest

from trunkline_dev.__main__ import COMMANDS, main


def test_help_lists_the_commands_in_an_empty_environment() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "trunkline_dev", "--help"],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert all(command in shown.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert COMMANDS[command][1] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (
            ["servers", "start", "--instance", "absent"],
            {"TRUNKLINE_AMQP_URL": "amqp://127.0.0.1/"},
            "TRUNKLINE_RABBITMQ_MANAGEMENT_URL: must be set too, to use a RabbitMQ of your own\n",
        ),
        (["test", "nonsense"], {}, "no suite nonsense; see `test --help`\n"),
        (["test", "unit"], {"BROKERS": "5"}, "BROKERS: must be `found` or `all`, not '5'\n"),
        (
            ["servers", "env", "--instance", "absent"],
            {},
            "absent: not running; start it with `servers start`\n",
        ),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_two(
    arguments: list[str],
    environment: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert main(arguments) == 2
    assert capsys.readouterr().err == line
