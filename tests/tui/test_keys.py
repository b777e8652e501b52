"""The table of keys and type-ahead: the same key is the same verb, and no key is lost or misplaced."""

from __future__ import annotations

import pytest

from tui import keys
from tui.stroke import Keyboard, Stroke, paste_of, stroke_of


@pytest.mark.parametrize("screen", keys.SCREENS)
def test_footers_fit_and_every_key_has_a_help_text(screen: str) -> None:
    table = keys.keymap(screen)
    assert len(keys.footer(screen, 80)) <= 80
    assert len(keys.footer(screen, 120)) <= 120
    assert all(key.help and key.id.count(".") == 1 for key in table)
    assert len({key.key for key in table}) == len(table)
    assert not {key.key for key in table} & {"f11", "f10"}
    assert all(len(key.key) > 1 for key in table), "no bare letter is ever bound"


def test_an_impossible_verb_is_absent_from_the_footer() -> None:
    assert "F6Arrivé" in keys.footer("day", 80)
    assert "F6" not in keys.footer("day", 80, impossible=["arrive"])


def test_escape_does_what_f10_does() -> None:
    assert stroke_of("f10", None) == stroke_of("escape", "\x1b") == Stroke("escape")
    assert stroke_of("ctrl+h", "\x08") == Stroke("backspace")
    assert stroke_of("e_acute", "é") == Stroke("e_acute", "é")


def test_keys_wait_in_order_and_a_refusal_throws_them_away() -> None:
    seen: list[str] = []
    waiting = [False]
    keyboard = Keyboard(lambda stroke: seen.append(stroke.key), lambda _stroke: waiting[0])
    keyboard.take(Stroke("a"))
    waiting[0] = True
    keyboard.take(Stroke("b"))
    keyboard.take(Stroke("c"))
    assert seen == ["a"]
    waiting[0] = False
    keyboard.drain()
    assert seen == ["a", "b", "c"]
    waiting[0] = True
    keyboard.take(Stroke("d"))
    keyboard.discard()
    waiting[0] = False
    keyboard.drain()
    assert seen == ["a", "b", "c"]


def test_a_key_that_begins_a_wait_holds_the_next_one() -> None:
    seen: list[str] = []
    keyboard = Keyboard(lambda stroke: seen.append(stroke.key), lambda _stroke: "f6" in seen)
    for key in ("down", "f6", "f7"):
        keyboard.take(Stroke(key))
    assert seen == ["down", "f6"]
    assert keyboard.queued == 1


def test_a_paste_is_one_line_of_bounded_length() -> None:
    assert paste_of("a\x1b[2Jb\tc\n").text == "a [2Jb c"
    assert len(paste_of("x" * 1_000_000).text) == 65_536
