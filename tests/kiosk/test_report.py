"""The report as the ward reads it: banners before the text, reading as delivery, the same words on paper."""

from __future__ import annotations

import io

from pypdf import PdfReader

from core.model.report import ReportText
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RECEPTION


def word(services: Services, step: int) -> str:
    return services.scheduling.line(RECEPTION, step).status.word


def test_the_ward_reads_every_section_and_who_signed(clinician: Person, exams: Exams) -> None:
    page = clinician.see(f"/cr/{exams.signed()}")
    assert page.before("Indication", "Technique")
    assert page.before("Résultat", "Conclusion")
    assert "Scanner cérébral normal." in page
    assert "08:30 · version 1" in page


def test_opening_by_get_delivers_nothing(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.signed()
    clinician.see(f"/cr/{step}")
    clinician.see(f"/cr/{step}/pdf")
    assert word(services, step) == "validé"


def test_the_button_read_delivers_to_the_ward(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.signed()
    clinician.see(f"/cr/{step}")
    page = clinician.press("Lu")
    assert page.path == f"/cr/{step}"
    assert "Remis au service" in page
    assert word(services, step) == "envoyé"


def test_the_page_sends_the_same_by_itself(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.signed()
    form = clinician.see(f"/cr/{step}").form_with("Lu")
    assert 'hx-trigger="load delay:2500ms, submit"' in clinician.page.html
    answer = clinician.client.post(form.action, data=form.fields, headers={"HX-Request": "true"})
    assert "Remis au service" in answer.text
    assert "<html" not in answer.text
    assert "load delay" not in answer.text
    assert word(services, step) == "envoyé"


def test_a_radiologist_reading_it_counts_for_nobody(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.signed()
    page = radiologist.see(f"/cr/{step}")
    assert "Lu" not in [b for form in page.forms for b in form.buttons]
    radiologist.client.post(f"/cr/{step}/lu", data=page.form_with("Verrouiller").fields)
    assert word(services, step) == "validé"


def test_an_exam_without_report_says_where_it_stands(clinician: Person, exams: Exams) -> None:
    page = clinician.see(f"/cr/{exams.to_read()}")
    assert "Pas encore de compte rendu : l'examen est « à interpréter »." in page


def test_the_older_version_says_that_it_was_replaced(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.released()
    from tests.people.hospital import PIN, RADIOLOGIST

    final = ReportText(conclusion="Fracture.")
    view = services.reports.signer_view(RADIOLOGIST, step, final)
    services.reports.sign(RADIOLOGIST, step, final, PIN, view.shown_hash, discordance="minor")
    page = clinician.see(f"/cr/{step}")
    assert "Fracture." in page
    assert "Discordance mineure" in page
    old = clinician.click("version 1")
    assert old.before("Version remplacée", "Scanner cérébral normal.")


def test_a_correction_in_progress_is_said_before_the_text(clinician: Person, exams: Exams, services: Services) -> None:
    from tests.people.hospital import RADIOLOGIST

    step = exams.signed()
    services.reports.open_correction(RADIOLOGIST, step, "côté inversé")
    assert clinician.see(f"/cr/{step}").before("Correction en cours", "Scanner cérébral normal.")


def test_the_pdf_has_the_same_words(clinician: Person, exams: Exams) -> None:
    step = exams.signed()
    answer = clinician.client.get(f"/cr/{step}/pdf")
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.get_data())).pages)
    assert "Scanner cérébral normal." in " ".join(words.split())


def test_names_and_texts_are_never_markup(clinician: Person, exams: Exams) -> None:
    step = exams.signed(
        ReportText(conclusion="<script>alert(1)</script>"), family="<img src=x onerror=alert(2)>", given="Léa"
    )
    for path in ("/", f"/examen/{step}", f"/cr/{step}", f"/etude/{exams.study(step)}"):
        page = clinician.see(path)
        assert "<script>alert" not in page.html
        assert "<img src=x" not in page.html.lower()
    assert "<script>alert(1)</script>" in clinician.see(f"/cr/{step}")
