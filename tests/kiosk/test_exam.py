"""One exam: its patient, its path, its images, its report."""

from __future__ import annotations

from core.model.order import OrderDraft
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RECEPTION


def test_the_path_of_an_exam_says_who_and_when(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.ordered()
    services.scheduling.arrive(RECEPTION, step)
    page = clinician.see(f"/examen/{step}")
    assert "OUÉDRAOGO Aïcha" in page
    assert "née le 12/05/2022" in page
    assert page.before("08:30 demandé reception1", "08:30 arrivé à l'accueil reception1")
    assert "Pas encore d'image." in page


def test_what_happens_by_itself_is_called_what_it_is(clinician: Person, exams: Exams) -> None:
    step = exams.ordered()
    exams.imaged(step)
    assert "entré en salle machine" in clinician.see(f"/examen/{step}")


def test_images_and_report_are_one_click_away(clinician: Person, exams: Exams) -> None:
    step = exams.signed()
    page = clinician.see(f"/examen/{step}")
    assert "Scanner cérébral normal." in page
    assert clinician.click("CT 5 mm").path == f"/etude/{exams.study(step)}"
    clinician.see(f"/examen/{step}")
    assert clinician.click("Lire le compte rendu").path == f"/cr/{step}"


def test_earlier_exams_of_the_same_child_are_listed_within_the_right_of_the_reader(
    clinician: Person, radiologist: Person, exams: Exams, services: Services
) -> None:
    step = exams.ordered()
    patient = services.scheduling.line(RECEPTION, step).patient_id
    mine = OrderDraft(patient, "ECHO-ABDO", "Dr TRAORE", "douleurs", ward="URG")
    theirs = OrderDraft(patient, "IRM-CRANE", "Dr ZONGO", "crises", ward="PED")
    for draft in (mine, theirs):
        services.orders.place(RECEPTION, draft)
    page = clinician.see(f"/examen/{step}")
    assert page.before("Autres examens", "ECHO ABDO")
    assert "IRM CRANE" not in page
    assert radiologist.see(f"/examen/{step}").before("Autres examens", "IRM CRANE")


def test_another_ward_gets_404_as_for_no_exam_at_all(other_ward: Person, exams: Exams) -> None:
    step = exams.signed()
    for path in (
        f"/examen/{step}",
        f"/etude/{exams.study(step)}",
        f"/cr/{step}",
        f"/cr/{step}/pdf",
        f"/cr/{step}/impressions",
    ):
        assert other_ward.see(path).status == 404, path
        assert "OUÉDRAOGO" not in other_ward.page
    assert other_ward.see("/examen/999").status == 404
    assert other_ward.client.get(f"/img/{exams.key(step)}/frame").status_code == 404
