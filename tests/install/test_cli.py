"""The command line as a table: every command is there, says what it takes, and speaks French when misused."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from install.cli import COMMANDS, main_group
from tests.install.boxes import yelen

MANUAL = (Path(__file__).parents[2] / "install" / "README.md").read_text(encoding="utf-8")


def commands() -> list[tuple[str, ...]]:
    """Every command and sub-command, as the words typed after `yelen`."""
    context = click.Context(main_group)
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = main_group.get_command(context, name)
        found += (
            [(name, sub) for sub in command.list_commands(context)] if isinstance(command, click.Group) else [(name,)]
        )
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_says_what_it_takes_and_takes_a_place(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(main_group, [*words, "--help"])
    assert told.exit_code == 0
    assert "Usage : " in told.output
    assert "--data" in told.output
    assert "--set" in told.output
    assert "Show this message" not in told.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_the_manual_or_the_front_page(name: str) -> None:
    front = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"yelen {name}" in MANUAL + front


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["truc"], "Commande inconnue : truc"),
        (["status", "--truc"], "Option inconnue : --truc"),
        (["user", "add"], "Il manque : LOGIN"),
        (["list", "patients"], "Il manque : NOM..."),
        (["list", "day", "2026-11-24"], "En trop : 2026-11-24"),
        (
            ["device", "add", "CT1", "--address", "10.1.0.9", "--port", "99999"],
            "pour --port : un nombre est attendu, de 0 à 65535",
        ),
        (["device", "add", "CT1", "--limit", "0"], "pour --limit : un nombre est attendu, 1 ou plus"),
        (["device", "add", "CT1", "--when-cut", "no"], "l'un de ceux-ci est attendu : failure, warning, success"),
        (["migrate", "ANCIEN", "--from", "01/02/2020"], "pour --from : un jour est attendu, AAAA-MM-JJ"),
        (["settle", "task", "x", "--how", "vu"], "un nombre est attendu"),
    ],
)
def test_a_mistake_in_the_usage_is_one_french_sentence_and_exit_code_2(words: list[str], sentence: str) -> None:
    done = yelen(*words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
