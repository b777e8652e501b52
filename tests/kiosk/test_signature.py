"""Nobody signs blind: what is shown before the PIN, and what a signature without it becomes."""

from __future__ import annotations

import pytest

from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import PASSWORD, PIN, RADIOLOGIST, RECEPTION


@pytest.fixture
def signer(radiologist: Person, exams: Exams) -> Person:
    """A radiologist before the signature, with a conclusion typed."""
    exams.to_read()
    return at_the_signature(radiologist)


def at_the_signature(radiologist: Person) -> Person:
    radiologist.see("/lecture")
    radiologist.press("Interpréter")
    radiologist.press("Vérifier et signer…", conclusion="Scanner normal.")
    return radiologist


def step_of(person: Person) -> int:
    return int(person.page.path.split("/")[2])


def test_the_signer_sees_the_text_the_counts_and_what_was_never_opened(signer: Person) -> None:
    assert "Scanner normal." in signer.page
    assert "3, nombre non annoncé" in signer.page
    assert "jamais ouverte" in signer.page


def test_a_series_that_was_looked_at_is_said_to_be(radiologist: Person, exams: Exams) -> None:
    step = exams.to_read()
    page = radiologist.see(f"/etude/{exams.study(step)}")
    radiologist.client.get(next(src for src in page.images if "&s=" in src))
    at_the_signature(radiologist)
    assert "APERÇU 1/3" in radiologist.page
    assert "jamais ouverte" not in radiologist.page


def test_the_pictures_that_the_script_showed_are_counted_one_by_one(radiologist: Person, exams: Exams) -> None:
    step = exams.to_read()
    series = exams.services.studies.series(RADIOLOGIST, exams.study(step))[0].id
    at_the_signature(radiologist)
    token = radiologist.page.form_with("Signer").fields["jeton"]
    told = {"jeton": token, "vues": f"{exams.key(step, 0)}.1 {exams.key(step, 2)}.1"}
    assert radiologist.client.post(f"/serie/{series}/vues", data=told).status_code == 204
    assert radiologist.client.post(f"/serie/{series}/vues", data=told | {"vues": "x.1"}).status_code == 404
    assert "APERÇU 2/3" in radiologist.see(f"/lecture/{step}/signature")


def test_an_exam_without_images_asks_why(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.to_read(images=0)
    at_the_signature(radiologist)
    assert "Aucune image : pourquoi signer quand même ?" in radiologist.page
    assert "dites pourquoi" in radiologist.press("Signer", secret=PIN)
    radiologist.press("Signer", secret=PIN, motif="échographie au lit")
    assert services.scheduling.line(RECEPTION, step).status.word == "validé"


def test_the_pin_signs(signer: Person, services: Services) -> None:
    step = step_of(signer)
    page = signer.press("Signer", secret=PIN)
    assert page.path == f"/cr/{step}"
    assert "Signé · dr.traore" in page or "Signé · Dr Salif TRAORE" in page
    assert services.scheduling.line(RECEPTION, step).status.word == "validé"


def test_the_password_signs_too(signer: Person) -> None:
    assert signer.press("Signer", secret=PASSWORD).path.startswith("/cr/")


def test_a_wrong_pin_signs_nothing_and_says_so(signer: Person, services: Services) -> None:
    page = signer.press("Signer", secret="0000")
    assert "Code incorrect." in page
    assert page.form_with("Signer")
    assert services.reports.current(RADIOLOGIST, step_of(signer)) is None


def test_signing_twice_is_one_version(signer: Person, services: Services) -> None:
    step, form = step_of(signer), signer.page.form_with("Signer")
    fields = form.fields | {"secret": PIN}
    answers = [signer.client.post(form.action, data=fields) for _click in range(2)]
    assert [(a.status_code, a.headers["Location"]) for a in answers] == [(303, f"/cr/{step}")] * 2
    assert len(services.reports.versions(RADIOLOGIST, step)) == 1


def test_an_image_that_arrives_before_the_pin_shows_the_page_again(
    signer: Person, exams: Exams, services: Services, clock
) -> None:  # type: ignore[no-untyped-def]
    clock.advance(5)
    exams.imaged(step_of(signer), 1, series=2, study=study_uid(exams, step_of(signer)))
    page = signer.press("Signer", secret=PIN)
    assert page.form_with("Signer")
    assert "Arrivées depuis l'ouverture" in page
    assert services.reports.current(RADIOLOGIST, step_of(signer)) is None
    assert page.form_with("Vue")
    signer.press("Vue")
    assert signer.press("Signer", secret=PIN).path.startswith("/cr/")


def study_uid(exams: Exams, step: int) -> str:
    return exams.services.studies.get(RADIOLOGIST, exams.study(step)).study_instance_uid


def test_missing_images_ask_for_a_reason(radiologist: Person, exams: Exams, services: Services) -> None:
    from tests.people.hospital import TECHNOLOGIST

    step = exams.ordered()
    services.scheduling.arrive(RECEPTION, step)
    services.acquisition.start(TECHNOLOGIST, step)
    exams.imaged(step, 2)
    from core.services.acquisition import DoseEntry

    services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 1"), expected_images=5)
    services.acquisition.verify(TECHNOLOGIST, step, reason="urgence")
    at_the_signature(radiologist)
    assert "2 sur 5 annoncées" in radiologist.page
    assert "pourquoi signer quand même" in radiologist.page
    assert radiologist.press("Signer", secret=PIN).form_with("Signer")
    assert radiologist.press("Signer", secret=PIN, motif="série tronquée, suffisante").path == f"/cr/{step}"


def test_a_doubtful_identity_has_no_pin_field(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.to_read()
    doubt(services, step)
    at_the_signature(radiologist)
    assert "Identité en cours de vérification" in radiologist.page
    assert "Signature impossible" in radiologist.page
    assert not [form for form in radiologist.page.forms if "secret" in form.fields]
    assert radiologist.click("Envoyer un provisoire").form_with("Envoyer le provisoire")


def doubt(services: Services, step: int) -> None:
    """Somebody doubts whose images these are."""
    from core.model.step import Flag
    from core.services.steps import flag, step_row

    services.kit.index.writer.do(lambda unit: flag(unit, step_row(step), Flag.IDENTITY_DOUBTFUL))


def test_after_a_preliminary_the_discordance_is_asked(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.released()
    radiologist.see("/lecture")
    radiologist.press("Reprendre")
    page = radiologist.press("Vérifier et signer…", conclusion="Finalement une fracture.")
    assert "Par rapport au provisoire" in page
    assert radiologist.press("Signer", secret=PIN).form_with("Signer")
    radiologist.press("Signer", secret=PIN, discordance="major")
    assert "Discordance majeure" in radiologist.page
    assert services.reports.current(RADIOLOGIST, step).discordance == "major"  # type: ignore[union-attr]


def test_a_critical_result_never_blocks_and_is_seen_by_the_ward(signer: Person, clinician: Person) -> None:
    step = step_of(signer)
    signer.press("Signer", secret=PIN, critique="on")
    assert "critique non accusé" in clinician.see("/")
    assert clinician.see(f"/cr/{step}").before("Résultat critique", "Conclusion")


def test_an_empty_conclusion_is_refused(radiologist: Person, exams: Exams) -> None:
    exams.to_read()
    radiologist.see("/lecture")
    radiologist.press("Interpréter")
    radiologist.press("Vérifier et signer…", conclusion="")
    assert "La conclusion est vide." in radiologist.press("Signer", secret=PIN)


def test_who_does_not_hold_the_exam_is_sent_to_the_desk(radiologist: Person, exams: Exams) -> None:
    step = exams.to_read()
    assert radiologist.see(f"/lecture/{step}/signature").path == f"/lecture/{step}"


def test_a_vital_emergency_is_called_so_before_the_pin(radiologist: Person, exams: Exams) -> None:
    exams.to_read(urgency="V")
    assert at_the_signature(radiologist).page.before("Signalé", "urgence vitale")
