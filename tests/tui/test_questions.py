"""Fields, choices and sentences: what is typed, what is answered, what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, IllegalTransition, OutOfResources, Unreachable
from tui import notices
from tui.dialogs.choice import LETTERS, Choice, YesNo, lettered
from tui.dialogs.entry import number, reason
from tui.forms import Field, Form
from tui.screens.patient import split_name, verdict
from tui.stroke import Stroke
from tui.surroundings import is_drawable
from tui.widgets.cells import wrap
from tui.widgets.lines import cells_of


def type_in(form: Form, *strokes: str) -> None:
    for stroke in strokes:
        form.take(Stroke(stroke) if stroke.islower() and len(stroke) > 1 else Stroke(stroke, stroke))


def test_a_field_is_edited_where_the_cursor_is() -> None:
    form = Form([Field("name", "Nom", 0, 0, 10)], 1)
    type_in(form, "Z", "O", "G", "left", "N", "end", "O", "home", "delete")
    assert form.value("name") == "ONGO"
    assert form["name"].cursor == 0


def test_a_decomposed_accent_is_composed_as_it_is_typed() -> None:
    form = Form([Field("name", "Nom", 0, 0, 10)], 1)
    for stroke in (Stroke("e", "e"), Stroke("acute", "\u0301"), Stroke("l", "l")):
        form.take(stroke)
    assert form["name"].value == "él"
    form.take(Stroke("backspace"))
    form.take(Stroke("backspace"))
    assert form["name"].value == ""


def test_a_field_of_one_letter_keeps_the_last_one() -> None:
    form = Form([Field("sex", "Sexe", 0, 0, 1, "F", upper=True)], 1)
    form.take(Stroke("m", "m"))
    assert form.value("sex") == "M"


def test_tab_goes_round_and_skips_what_cannot_be_typed() -> None:
    form = Form([Field("ipp", "IPP", 0, 0, 5, keep=True), Field("a", "A", 1, 0, 5), Field("b", "B", 2, 0, 5)], 3)
    assert form.current.name == "a"
    form.take(Stroke("tab"))
    assert form.is_last
    form.take(Stroke("tab"))
    assert form.current.name == "a"
    form.take(Stroke("shift+tab"))
    assert form.current.name == "b"


@given(st.text(max_size=30), st.lists(st.sampled_from(["left", "right", "home", "backspace"]), max_size=10))
def test_a_field_is_always_as_wide_as_it_says(text: str, moves: list[str]) -> None:
    one = Field("a", "A", 0, 0, 8)
    one.insert(text)
    for move in moves:
        one.edit(move)
    for active in (True, False):
        assert len(cells_of(one.runs(active), 40)) == 40
        drawn = "".join(c for c, _style in cells_of(one.runs(active), 40)).rstrip()
        assert drawn.startswith("A [")


def test_a_choice_takes_a_letter_or_arrows_and_enter_takes_the_default() -> None:
    rooms = [("EC1", "EC1"), ("RX1", "RX1"), ("SC1", "SC1")]
    by_letter, by_arrows = Choice("Salle", lettered(rooms)), Choice("Salle", lettered(rooms))
    assert by_letter.take(Stroke("d", "d"))
    assert by_letter.answer == "SC1"
    assert not by_arrows.take(Stroke("right"))
    assert by_arrows.take(Stroke("enter"))
    assert by_arrows.answer == "RX1"
    assert not by_arrows.take(Stroke("a", "a"))
    careful = YesNo("Annuler ?", default=False)
    careful.take(Stroke("enter"))
    assert careful.answer is False


def test_more_options_than_letters_remain_reachable() -> None:
    many = Choice("Examen", lettered([(f"EXAMEN {i}", i) for i in range(60)]))
    for _press in range(59):
        many.take(Stroke("down"))
        assert len(many.lines()) <= 4
        assert any("EXAMEN" in text for line in many.lines()[1:] for text, _style in line)
    many.take(Stroke("enter"))
    assert many.answer == 59
    assert not set(LETTERS) & set("AQWZM")


def test_a_motive_is_asked_until_there_is_one() -> None:
    asked = reason("Annuler ?")
    assert not asked.take(Stroke("enter"))
    assert "motif" in asked.status()
    for letter in "doublon":
        asked.take(Stroke(letter, letter))
    assert asked.take(Stroke("enter"))
    assert asked.answer == {"reason": "doublon"}
    left = reason("Annuler ?")
    assert left.take(Stroke("escape"))
    assert left.dismissed


def test_numbers_are_typed_with_a_comma() -> None:
    assert number("18,4", "dose") == 18.4
    assert number("", "dose") is None
    for wrong in ("abc", "-1", "1e9", "nan"):
        with pytest.raises(BadInput):
            number(wrong, "dose")


def test_errors_are_sentences() -> None:
    assert notices.sentence_of(IllegalTransition("Impossible maintenant.")) == "Impossible maintenant."
    assert "refaire la touche" in notices.sentence_of(Unreachable("Pas de réponse du serveur."))
    assert "plus tard" in notices.sentence_of(OutOfResources("Disque plein."))
    assert notices.core_down(12, "08:41") == "Serveur arrêté depuis 10 s — lecture seule, données du 08:41"
    assert "3 min" in notices.core_down(200, "")
    assert notices.core_down(12, "", "Trop de terminaux sont ouverts.") == "Trop de terminaux sont ouverts"


def test_a_mother_is_split_by_her_capitals() -> None:
    assert split_name("SAWADOGO Mariam") == ("SAWADOGO", "Mariam")
    assert split_name("Mariam SAWADOGO") == ("SAWADOGO", "Mariam")
    assert split_name("sawadogo mariam awa") == ("sawadogo", "mariam awa")
    assert split_name("") == ("", "")


def test_a_comparison_says_equal_close_or_different() -> None:
    assert verdict("OUEDRAOGO", "OUEDRAOGO") == "="
    assert verdict("OUEDRAOGO", "Ouédraogo") == "~"
    assert verdict("", "70 12 34 56") == verdict("", "") == ""
    assert verdict("Aïcha", "Fatou") == "DIFFERENT"


def test_sentences_are_cut_between_words() -> None:
    assert wrap("Terminal trop petit", 12) == ["Terminal", "trop petit"]


def test_a_terminal_that_cannot_draw_is_recognised() -> None:
    assert is_drawable("linux", True)
    assert not is_drawable("dumb", True)
    assert not is_drawable("linux", False)
