"""Writing: the template, the draft that is never lost, the hand-over to be signed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RADIOLOGIST, RECEPTION


@pytest.fixture
def desk(radiologist: Person, exams: Exams) -> Person:
    """A radiologist who has just taken an exam."""
    exams.to_read()
    radiologist.see("/lecture")
    radiologist.press("Interpréter")
    return radiologist


def step_of(person: Person) -> int:
    return int(person.page.path.split("/")[2])


def typed(person: Person, section: str) -> str:
    return person.page.form_with("Enregistrer").fields[section]


def test_the_desk_shows_images_beside_the_text(desk: Person) -> None:
    assert any(src.startswith("/img/") and "&s=" in src for src in desk.page.images)
    assert "trauma crânien" in typed(desk, "indication")


def test_opening_the_page_by_its_address_takes_nothing(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.to_read()
    assert "Interpréter" in radiologist.see(f"/lecture/{step}")
    assert not services.reports.desk(RADIOLOGIST, step).lock_owner


def test_a_draft_is_kept_and_found_again(desk: Person) -> None:
    desk.press("Enregistrer", findings="Pas d'hémorragie.\r\nPas de fracture.", conclusion="Normal.")
    assert typed(desk, "findings") == "Pas d'hémorragie.\nPas de fracture."
    assert "Brouillon enregistré à 08:30" in desk.page
    assert typed_again(desk) == "Normal."


def typed_again(desk: Person) -> str:
    desk.see(desk.page.path)
    return typed(desk, "conclusion")


def test_the_autosave_answers_the_hour(desk: Person, services: Services) -> None:
    form = desk.page.form_with("Enregistrer")
    answer = desk.client.post(
        f"{form.action}/brouillon", data=form.fields | {"conclusion": "Hématome."}, headers={"HX-Request": "true"}
    )
    assert answer.text == "Brouillon enregistré à 08:30"
    assert services.reports.desk(RADIOLOGIST, step_of(desk)).draft.conclusion == "Hématome."


def test_a_template_fills_only_what_is_empty(desk: Person, services: Services) -> None:
    name = services.reports.templates("TDM-CRANE")[0][0]
    desk.press("Remplir les parties vides", modele=name, technique="Ma technique à moi.")
    assert typed(desk, "technique") == "Ma technique à moi."
    assert typed(desk, "findings")


def test_the_next_image_of_the_desk_leaves_the_draft_alone(desk: Person) -> None:
    desk.press("Enregistrer", conclusion="Normal.")
    assert "2 / 3" in desk.click("Suivante")
    assert typed(desk, "conclusion") == "Normal."


def test_giving_back_frees_the_exam(desk: Person, services: Services) -> None:
    step = step_of(desk)
    assert desk.press("Rendre sans signer", conclusion="À revoir.").path == "/lecture"
    held = services.reports.desk(RADIOLOGIST, step)
    assert (held.lock_owner, held.draft.conclusion) == ("", "À revoir.")


def test_a_draft_of_somebody_who_lost_the_exam_is_refused(desk: Person, services: Services) -> None:
    services.reports.release_lock(RADIOLOGIST, step_of(desk))
    assert desk.press("Enregistrer", conclusion="Trop tard.").status in (403, 409)


def test_a_resident_hands_over_to_be_signed(log_in: Callable[[str], Person], exams: Exams, services: Services) -> None:
    step = exams.to_read()
    resident = log_in("interne1")
    resident.see("/lecture")
    resident.press("Interpréter")
    page = resident.press("Soumettre à la signature", conclusion="")
    assert "La conclusion est vide." in page
    assert resident.press("Soumettre à la signature", conclusion="Fracture.").path == "/lecture"
    assert services.scheduling.line(RECEPTION, step).status.word == "à signer"
