"""Printing a report on a printer of the hospital."""

from __future__ import annotations

from core.clock import SetClock
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import ADMIN


def test_the_report_goes_to_the_queue_and_its_state_is_on_the_page(
    clinician: Person, exams: Exams, services: Services
) -> None:
    step = exams.signed()
    clinician.see(f"/cr/{step}")
    page = clinician.press("Imprimer")
    (job,) = services.printing.jobs(ADMIN)
    assert (job.printer, job.step_id, job.mime) == ("LASER1", step, "application/pdf")
    assert page.path == f"/cr/{step}"
    assert "attente · LASER1 · 08:30" in page


def test_a_double_click_prints_once(clinician: Person, exams: Exams, services: Services) -> None:
    form = clinician.see(f"/cr/{exams.signed()}").form_with("Imprimer")
    for _click in range(2):
        assert clinician.client.post(form.action, data=form.fields).status_code == 303
    assert len(services.printing.jobs(ADMIN)) == 1


def test_a_second_copy_within_ten_minutes_is_asked_for(
    clinician: Person, exams: Exams, services: Services, clock: SetClock
) -> None:
    step = exams.signed()
    clinician.see(f"/cr/{step}")
    clinician.press("Imprimer")
    assert "Imprimer encore ?" in clinician.press("Imprimer")
    assert len(services.printing.jobs(ADMIN)) == 1
    clinician.press("Imprimer un second exemplaire")
    assert len(services.printing.jobs(ADMIN)) == 2


def test_the_queue_asks_again_only_while_the_job_runs(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.signed()
    clinician.see(f"/cr/{step}")
    clinician.press("Imprimer")
    assert "every 3s" in clinician.client.get(f"/cr/{step}/impressions?auto=1").text
    services.printing.cancel(ADMIN, services.printing.jobs(ADMIN)[0].id)
    answer = clinician.client.get(f"/cr/{step}/impressions?auto=1").text
    assert "every 3s" not in answer
    assert "annule" in answer
