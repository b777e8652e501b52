"""A preliminary for the ward, at once, under its banner."""

from __future__ import annotations

from collections.abc import Callable

from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import PIN, RESIDENT


def test_the_ward_reads_it_at_once_under_the_banner(
    log_in: Callable[[str], Person], clinician: Person, exams: Exams, services: Services
) -> None:
    step = exams.to_read()
    resident = log_in("interne1")
    resident.see("/lecture")
    resident.press("Interpréter")
    page = resident.press("Provisoire au service…", conclusion="Hématome sous-dural.")
    assert "COMPTE RENDU PROVISOIRE – NON VALIDÉ" in page
    assert "Code incorrect." in resident.press("Envoyer le provisoire", secret="9999")
    assert resident.press("Envoyer le provisoire", secret=PIN).path == f"/lecture/{step}"
    assert "provisoire" in clinician.see("/")
    report = clinician.click("Compte rendu")
    assert report.before("COMPTE RENDU PROVISOIRE – NON VALIDÉ", "Hématome sous-dural.")
    assert "Lu" not in [b for form in report.forms for b in form.buttons]
    assert services.reports.current(RESIDENT, step).is_preliminary  # type: ignore[union-attr]


def test_an_empty_conclusion_is_not_sent_to_the_ward(radiologist: Person, exams: Exams) -> None:
    exams.to_read()
    radiologist.see("/lecture")
    radiologist.press("Interpréter")
    radiologist.press("Provisoire au service…", conclusion=" ")
    assert "La conclusion est vide." in radiologist.press("Envoyer le provisoire", secret=PIN)
