"""Images by links and forms: series, windows, zoom, next and previous, all without JavaScript."""

from __future__ import annotations

from core.services import Services
from tests.kiosk.exams import Exams, dataset
from tests.kiosk.person import Person
from tests.people.hospital import RADIOLOGIST


def test_the_first_image_is_a_picture_the_server_drew(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    page = clinician.see(f"/etude/{exams.study(step)}")
    assert "1 / 3" in page
    assert "aperçu, non diagnostique" in page
    picture = clinician.client.get(next(src for src in page.images if "&s=" in src))
    assert picture.mimetype == "image/jpeg"
    assert picture.get_data()[:2] == b"\xff\xd8"


def test_next_and_previous_are_links(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    clinician.see(f"/etude/{exams.study(step)}")
    first = clinician.page.images
    assert "2 / 3" in clinician.click("Suivante")
    assert clinician.page.images != first
    assert "3 / 3" in clinician.click("Suivante")
    assert "2 / 3" in clinician.click("Précédente")


def test_a_preset_changes_the_window_and_next_keeps_it(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    clinician.see(f"/etude/{exams.study(step)}")
    assert clinician.page.form_with("Appliquer").fields["c"] == "40"
    page = clinician.click("Os")
    assert page.form_with("Appliquer").fields["w"] == "2000"
    assert any("c=500" in src and "w=2000" in src for src in page.images)
    assert clinician.click("Suivante").form_with("Appliquer").fields["w"] == "2000"


def test_a_typed_window_is_applied_on_the_same_image(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    clinician.see(f"/etude/{exams.study(step)}?image=2")
    page = clinician.press("Appliquer", c="-600", w="1500,5")
    assert "2 / 3" in page
    assert any("c=-600" in src and "w=1500.5" in src for src in page.images)


def test_a_window_that_is_no_window_is_refused_in_words(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    clinician.see(f"/etude/{exams.study(step)}")
    assert clinician.press("Appliquer", c="40", w="beaucoup").status == 400
    assert "Fenêtre : deux nombres" in clinician.page
    assert clinician.see(f"/etude/{exams.study(step)}?c=40&w=0").status == 400
    assert clinician.see(f"/etude/{exams.study(step)}?c=nan&w=inf").status == 400


def test_zoom_is_a_larger_picture(clinician: Person, exams: Exams) -> None:
    step = exams.to_read()
    clinician.see(f"/etude/{exams.study(step)}")
    assert any("size=1240" in src for src in clinician.click("×2").images)


def test_each_series_has_a_thumbnail_that_opens_it(clinician: Person, exams: Exams) -> None:
    step = exams.ordered()
    study = exams.imaged(step, 2, series=1)
    exams.imaged(step, 4, modality="DX", study=study, series=2)
    page = clinician.see(f"/etude/{exams.study(step)}")
    assert "1 / 2" in page
    assert "1 / 4" in clinician.click("DX 5 mm")


def test_a_loop_counts_every_frame(clinician: Person, exams: Exams) -> None:
    step = exams.ordered()
    line = exams.services.scheduling.line(RADIOLOGIST, step)
    data = dataset("CT", "1.2.3", "1.2.3.1", 1)
    data.PatientID, data.PatientName = line.patient_number, "OUÉDRAOGO^Aïcha"
    data.AccessionNumber, data.SpecificCharacterSet = line.accession_number, "ISO_IR 192"
    data.NumberOfFrames, data.PixelData = 5, data.PixelData * 5
    exams.send(data)
    page = clinician.see(f"/etude/{exams.study(step)}?image=4")
    assert "4 / 5" in page
    assert any("f=4" in src for src in page.images)


def test_an_object_without_a_picture_says_why(radiologist: Person, exams: Exams) -> None:
    step = exams.ordered()
    line = exams.services.scheduling.line(RADIOLOGIST, step)
    data = dataset("CT", "1.2.4", "1.2.4.1", 1)
    data.PatientID, data.PatientName = line.patient_number, "OUEDRAOGO^Aicha"
    data.AccessionNumber = line.accession_number
    del data.PixelData
    exams.send(data)
    page = radiologist.see(f"/etude/{exams.study(step)}")
    assert page.status == 200
    assert "Cet objet ne contient pas d'image." in page


def test_images_of_a_doubtful_identity_lie_under_the_overlay(
    radiologist: Person, clinician: Person, exams: Exams, services: Services
) -> None:
    step = exams.ordered()
    exams.imaged(step, 2, number="CDG9999999")
    tasks = [s for s in services.reconciliation.unmatched(RADIOLOGIST) if s.why]
    page = radiologist.see(f"/etude/{tasks[0].id}")
    assert "Identité en cours de vérification" in page
    assert "identité en cours de vérification" in page
    assert tasks[0].why in page
    assert clinician.see(f"/etude/{tasks[0].id}").status == 404


def test_an_address_that_asks_for_a_foreign_series_is_404(radiologist: Person, exams: Exams) -> None:
    mine, other = exams.to_read(), exams.to_read(family="Zongo", given="Léa")
    foreign = exams.services.studies.series(RADIOLOGIST, exams.study(other))[0].id
    assert radiologist.see(f"/etude/{exams.study(mine)}?serie={foreign}").status == 404
    assert radiologist.see(f"/etude/{exams.study(mine)}?serie=abc").status == 404
    assert radiologist.see(f"/etude/{exams.study(mine)}?image=9999").status == 200
