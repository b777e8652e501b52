"""The reading list: urgent first, then who waits longest; who holds what."""

from __future__ import annotations

from collections.abc import Callable

from core.clock import SetClock
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RESIDENT

POLL = {"HX-Request": "true"}


def test_urgent_exams_come_first_with_their_waiting_time(radiologist: Person, exams: Exams, clock: SetClock) -> None:
    exams.to_read(family="Barry", given="Awa")
    clock.advance(300)
    exams.to_read(family="Zongo", given="Léa", urgency="U")
    clock.advance(420)
    page = radiologist.see("/lecture")
    assert page.before("Urgences 1", "ZONGO")
    assert page.before("ZONGO", "À lire 1")
    assert "7 min" in page
    assert "12 min" in page


def test_an_empty_list_says_so(radiologist: Person) -> None:
    assert "Rien à lire" in radiologist.see("/lecture")


def test_opening_takes_the_exam_and_others_see_who_holds_it(
    radiologist: Person, log_in: Callable[[str], Person], exams: Exams
) -> None:
    exams.to_read()
    radiologist.see("/lecture")
    assert radiologist.press("Interpréter").form_with("Vérifier et signer…")
    resident = log_in("interne1")
    assert "ouvert par dr.traore" in resident.see("/lecture")
    page = resident.click("Voir")
    assert "Ouvert par dr.traore" in page
    assert resident.press("Essayer de nouveau").form_with("Essayer de nouveau")


def test_a_list_without_change_is_a_304_and_opening_changes_it(
    radiologist: Person, exams: Exams, services: Services
) -> None:
    step = exams.to_read()
    first = radiologist.client.get("/lecture?auto=1", headers=POLL).headers["ETag"]
    assert radiologist.client.get("/lecture?auto=1", headers=POLL | {"If-None-Match": first}).status_code == 304
    services.reports.open(RESIDENT, step)
    assert radiologist.client.get("/lecture?auto=1", headers=POLL | {"If-None-Match": first}).status_code == 200


def test_images_without_a_request_are_in_the_list_at_once(radiologist: Person, exams: Exams) -> None:
    from tests.kiosk.exams import dataset

    data = dataset("CT", "1.2.9", "1.2.9.1", 1)
    data.PatientID, data.PatientName, data.PatientSex, data.PatientBirthDate = "CDG777", "SANKARA^Abou", "M", "20200101"
    exams.send(data)
    page = radiologist.see("/lecture")
    assert "SANKARA Abou" in page
    assert "hors demande" in page


def test_images_that_contradict_their_request_are_reached_under_the_overlay(radiologist: Person, exams: Exams) -> None:
    exams.imaged(exams.ordered(), 2, number="CDG9999999")
    page = radiologist.see("/lecture")
    assert "Identité en cours de vérification 1" in page
    assert "différent de celui de la demande" in page
    assert "Identité en cours de vérification" in radiologist.click("2 images")


def test_a_clinician_does_not_take_exams_to_read(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    assert clinician.see("/lecture").status == 403
    assert "OUÉDRAOGO" not in clinician.page
    clinician.see("/")
    form = clinician.page.form_with("Verrouiller")
    assert clinician.client.post(f"/lecture/{step}/ouvrir", data=form.fields).status_code == 403
