"""The list of the ward: who is where, what is new, and a poll that costs nothing when nothing happened."""

from __future__ import annotations

from flask import Flask

from core.clock import SetClock
from core.model.people import Role, User
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person, text_of
from tests.people.hospital import ADMIN, PASSWORD, PIN, RECEPTION, TECHNOLOGIST

POLL = {"HX-Request": "true"}


def test_a_ward_sees_its_own_exams_in_words(clinician: Person, exams: Exams) -> None:
    exams.ordered("Ouédraogo", "Aïcha")
    exams.ordered("Kaboré", "Paul", ward="PED")
    page = clinician.see("/")
    assert "OUÉDRAOGO Aïcha" in page
    assert "planifié" in page
    assert "KABORÉ" not in page


def test_new_reports_come_first_then_what_is_going_on(clinician: Person, exams: Exams) -> None:
    exams.ordered("Zongo", "Léa")
    exams.to_read(family="Traoré", given="Issa")
    exams.signed(family="Barry", given="Awa")
    page = clinician.see("/")
    assert page.before("À lire 1 ", "BARRY")
    assert page.before("BARRY", "En cours 1 ")
    assert page.before("TRAORÉ", "À venir 1 ")
    assert page.links["Compte rendu"].startswith("/cr/")


def test_yesterdays_unread_report_is_still_on_the_list(clinician: Person, exams: Exams, clock: SetClock) -> None:
    exams.signed()
    clock.advance(24 * 3600)
    assert clinician.see("/verrou").path == "/verrou"
    clinician.log_in("urg1", "bonjour-yelen")
    assert "OUÉDRAOGO" in clinician.see("/")
    assert "OUÉDRAOGO" not in clinician.see("/?jour=2026-11-25")
    assert "OUÉDRAOGO" in clinician.see("/?jour=2026-11-24")


def test_flags_are_words(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.ordered(urgency="V")
    exams.imaged(step, 2)
    page = clinician.see("/")
    assert "urgence vitale" in page
    assert "en salle" in page
    assert "2 images" in page


def test_an_unchanged_list_is_a_304_without_body(clinician: Person, exams: Exams) -> None:
    exams.ordered()
    first = clinician.client.get("/?auto=1", headers=POLL)
    again = clinician.client.get("/?auto=1", headers=POLL | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_poll_of_an_unchanged_list_does_not_read_the_list(clinician: Person, exams: Exams, app: Flask) -> None:
    exams.ordered()
    first = clinician.client.get("/?auto=1", headers=POLL)
    exams.services.scheduling.day_page = None  # type: ignore[method-assign,assignment]
    again = clinician.client.get("/?auto=1", headers=POLL | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_a_change_is_in_the_next_poll(clinician: Person, exams: Exams, services: Services) -> None:
    step = exams.ordered()
    first = clinician.client.get("/?auto=1", headers=POLL)
    services.scheduling.arrive(RECEPTION, step)
    after = clinician.client.get("/?auto=1", headers=POLL | {"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 200
    assert "accueil" in text_of(after)
    assert "<html" not in text_of(after)
    assert "HX-Request" in after.headers["Vary"]


def test_each_image_of_an_exam_in_a_room_is_in_the_next_poll(clinician: Person, exams: Exams) -> None:
    step = exams.ordered()
    study = exams.imaged(step, 1)
    first = clinician.client.get("/?auto=1", headers=POLL)
    assert "1 image<" in text_of(first)
    exams.imaged(step, 1, study=study, series=2)
    after = clinician.client.get("/?auto=1", headers=POLL | {"If-None-Match": first.headers["ETag"]})
    assert "2 images<" in text_of(after)


def test_what_happens_in_another_ward_changes_nothing_here(clinician: Person, exams: Exams, services: Services) -> None:
    elsewhere = exams.ordered(ward="PED")
    first = clinician.client.get("/?auto=1", headers=POLL)
    services.scheduling.arrive(RECEPTION, elsewhere)
    after = clinician.client.get("/?auto=1", headers=POLL | {"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 304


def test_the_tag_of_another_day_or_person_is_another_tag(clinician: Person, other_ward: Person) -> None:
    tags = {p.client.get(path, headers=POLL).headers["ETag"] for p, path in (
        (clinician, "/?auto=1"), (clinician, "/?jour=2026-11-23&auto=1"), (other_ward, "/?auto=1"),
    )}  # fmt: skip
    assert len(tags) == 3


def test_the_page_says_how_old_it_is(clinician: Person) -> None:
    assert "données du 08:30" in clinician.see("/")


def test_technologists_see_every_ward(log_in, exams: Exams, services: Services) -> None:  # type: ignore[no-untyped-def]
    exams.ordered()
    services.acquisition.start(TECHNOLOGIST, exams.ordered("Kaboré", "Paul", ward="PED"))
    page = log_in("manip1").see("/")
    assert "OUÉDRAOGO" in page
    assert "KABORÉ" in page
    assert "PED" in page


def test_a_clinician_without_a_ward_sees_no_list(stranger: Person, exams: Exams, services: Services) -> None:
    exams.ordered()
    services.people.add_user(ADMIN, User("cl0", "Dr Sans Service", frozenset({Role.CLINICIAN})), PASSWORD, PIN)
    assert "Aucun examen." in stranger.log_in("cl0", PASSWORD)


def test_nonsense_in_the_day_is_today(clinician: Person) -> None:
    assert clinician.see("/?jour=hier").status == 200
