"""Terminals as they are in a hospital: small ones, resized ones, other dialects, dumb ones, bar-code readers, noise."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from core.model.patient import Demographics
from tests.people.hospital import RECEPTION
from tests.tui.conftest import Department, Post
from tests.tui.harness import BUDGET_QUIET, KEYS, Terminal

FIRST = 4


@pytest.mark.parametrize("term", ["linux", "xterm-256color", "putty", "vt220"])
def test_every_dialect_shows_the_same_list_within_the_same_bytes(department: Department, post: Post, term: str) -> None:
    terminal = post(term=term)
    assert len(terminal.boot) <= 10_000
    assert 0 < len(terminal.press("down", quiet=BUDGET_QUIET)) <= 300
    for f1 in (b"\x1b[[A", b"\x1bOP", b"\x1b[11~"):
        terminal.write(f1)
        terminal.wait_for("Toute touche = retour")
        terminal.press("enter")


def test_a_terminal_below_80x24_gets_one_sentence_and_recovers(reception: Terminal) -> None:
    reception.press("kab")
    reception.resize(50, 10)
    reception.wait_for("Terminal trop petit")
    assert "KABORE" not in reception.text
    reception.resize(20, 5)
    reception.wait_for("Terminal trop petit")
    reception.resize(80, 24)
    reception.wait_for("KABORE Fatou")
    assert "Filtre> kab" in reception.row(1)


def test_growing_and_shrinking_keeps_the_cursor_on_the_same_exam(department: Department, post: Post) -> None:
    department.multiply(200)
    terminal = post()
    terminal.press("pagedown", "pagedown", "down", "down")
    terminal.wait_for(" 31/200")
    terminal.resize(120, 40)
    terminal.wait_for("FICHE")
    terminal.wait_for("31/200")
    assert terminal.reversed_rows() == [FIRST]  # the 31st of pages of 30
    terminal.resize(80, 24)
    terminal.wait_for("page 3/15")
    assert "31/200" in terminal.row(22)


def test_a_bar_code_is_typed_anywhere_and_opens_the_exam(reception: Terminal) -> None:
    reception.write(b"CDG0000003\r")
    reception.wait_for("HISTORIQUE")
    assert "KABORE Fatou" in reception.text


def test_a_paste_of_a_megabyte_does_no_harm(reception: Terminal) -> None:
    reception.write(b"\x1b[200~kab" + b" " * 1_000_000 + b"\x1b[201~")
    reception.wait_for("1/1")
    reception.press("f10")
    reception.wait_for("1/5")


def test_a_name_with_terminal_commands_is_only_a_name(department: Department, post: Post) -> None:
    department.child("ZOU\x1b[2J\x1b]0;x\x07GRANA", "Mi\x9b31mm\u202eI\u0308", "M", 400, "ECHO-ABDO", 5)
    terminal = post()
    row = next(r for r in terminal.screen.display if "ZOU" in r)
    assert row[45] == "M"
    assert row[47:56] == "ECHO ABDO"
    assert "OUEDRAOGO Aïcha" in terminal.text


def test_wide_letters_do_not_shift_the_columns(department: Department, post: Post) -> None:
    department.child("山田太郎", "花子", "F", 400, "ECHO-ABDO", 5)
    terminal = post()
    y = next(y for y, r in enumerate(terminal.screen.display) if "山田" in r)
    assert "".join(terminal.screen.buffer[y][x].data for x in range(45, 56)) == "F ECHO ABDO"


def test_a_dumb_terminal_is_told_what_to_use_instead(department: Department) -> None:
    with Terminal([sys.executable, "-m", "tui", str(department.socket), "p"], term="dumb") as terminal:
        terminal.wait_for("En lignes simples : yelen lis")
        assert terminal.wait_end() == 2


def test_a_terminal_that_goes_away_takes_its_program_with_it(reception: Terminal, department: Department) -> None:
    os.kill(reception.pid, signal.SIGHUP)
    assert reception.wait_end() != 0
    assert department.services.scheduling.line(RECEPTION, department.lines()[0].step_id)


def test_quitting_leaves_a_clean_terminal(reception: Terminal) -> None:
    reception.write(KEYS["f10"] + KEYS["up"] + KEYS["enter"])
    assert reception.wait_end() == 0


def test_with_ascii_only_the_cursor_row_has_a_sign(department: Department, post: Post) -> None:
    terminal = post(YELEN_ASCII="1")
    assert terminal.row(FIRST).startswith(">08:00")
    assert terminal.row(FIRST + 1).startswith(" 08:20")


def test_accents_typed_in_two_keys_find_the_child(department: Department, reception: Terminal) -> None:
    department.services.patients.register(RECEPTION, Demographics("SOMÉ", "Noélie"), reason="test")
    reception.press("rasmane\u0301")
    reception.wait_for("1/2")
    assert "Filtre> rasmané" in reception.row(1)
