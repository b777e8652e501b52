"""Who may be the same child: proposals with reasons, never twins."""

from __future__ import annotations

from datetime import date

from core.model.birth import in_year, on_day, parse
from core.model.duplicates import THRESHOLD, likeness
from core.model.patient import Demographics

BORN = on_day(date(2022, 5, 12))


def child(family: str, given: str, **more: object) -> Demographics:
    return Demographics(family, given, **({"birth": BORN, "sex": "F"} | more))  # type: ignore[arg-type]


def test_the_same_child_under_another_spelling_is_proposed_first() -> None:
    typed = child("WEDRAOGO", "Aicha", mother_family_name="SAWADOGO", mother_given_names="Mariam")
    same = child("OUÉDRAOGO", "Aïcha", mother_family_name="SAOUADOGO", mother_given_names="Mariam")
    score, reasons = likeness(typed, same)
    assert score >= 0.9
    assert {"prénom", "naissance", "mère"} <= set(reasons)


def test_a_frequent_family_name_alone_proposes_nobody() -> None:
    score, _reasons = likeness(child("OUEDRAOGO", "Aïcha"), child("OUEDRAOGO", "Rasmata", birth=in_year(2015)))
    assert score < THRESHOLD


def test_twins_are_never_proposed_as_one_child() -> None:
    first = child("ZONGO", "BEBE 1 DE MARIAM", mother_number="CDG0000001", birth_order=1)
    second = child("ZONGO", "BEBE 2 DE MARIAM", mother_number="CDG0000001", birth_order=2)
    assert likeness(first, second)[0] == 0


def test_a_day_and_month_that_were_swapped_still_propose() -> None:
    swapped = child("KABORE", "Fatou", birth=on_day(date(2022, 12, 5)))
    assert likeness(child("KABORE", "Fatou"), swapped)[0] >= THRESHOLD
    about = parse("né vers 2022", date(2026, 11, 24))
    assert likeness(child("KABORE", "Fatou"), child("KABORE", "Fatou", birth=about))[0] > 0.8
