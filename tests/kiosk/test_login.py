"""The way in and the way out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from core.clock import SetClock
from core.services import Services
from kiosk.access import COOKIE, local_path
from kiosk.limits import PER_ACCOUNT
from tests.kiosk.conftest import account
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import ADMIN, PASSWORD


def test_a_clinician_lands_on_the_list_of_the_ward(clinician: Person) -> None:
    assert clinician.page.path == "/"
    assert "URG" in clinician.page
    assert "Dr Fatou DIALLO" in clinician.page


def test_a_radiologist_lands_on_the_reading_list(radiologist: Person) -> None:
    assert radiologist.page.path == "/lecture"


def test_a_wrong_password_is_refused_with_one_sentence(stranger: Person, services: Services) -> None:
    account(services, "urg1")
    assert stranger.log_in("urg1", "devinette").status == 401
    assert "Identifiant ou mot de passe incorrect." in stranger.page
    assert stranger.log_in("personne", "devinette").status == 401
    assert "Identifiant ou mot de passe incorrect." in stranger.page


def test_guessing_is_slowed_down_for_one_account_only(stranger: Person, services: Services) -> None:
    account(services, "urg1")
    for _try in range(PER_ACCOUNT):
        stranger.log_in("inconnu", "x")
    page = stranger.log_in("inconnu", "x")
    assert page.status == 429
    assert int(page.headers["Retry-After"]) > 0
    assert stranger.log_in("urg1", PASSWORD).path == "/"


def test_the_wanted_page_is_shown_after_the_login(stranger: Person, services: Services) -> None:
    account(services, "urg1")
    assert stranger.see("/etat").path == "/connexion"
    assert stranger.press("Entrer", nom="urg1", secret=PASSWORD).path == "/etat"


@pytest.mark.parametrize(
    "suite", ["https://ailleurs.example/", "//ailleurs.example", "/\\ailleurs.example", "javascript:alert(1)"]
)
def test_a_login_never_forwards_to_another_site(suite: str) -> None:
    assert local_path(suite) == "/"


def test_locking_closes_the_session_at_once(clinician: Person) -> None:
    stolen = clinician.client.get_cookie(COOKIE)
    assert stolen is not None
    page = clinician.press("Verrouiller")
    assert page.path == "/verrou"
    assert "Poste verrouillé" in page
    clinician.client.set_cookie(COOKIE, stolen.value)
    assert clinician.see("/").path == "/verrou"


def test_an_idle_post_locks_and_shows_no_patient(clinician: Person, clock: SetClock) -> None:
    clock.advance(121)
    page = clinician.see("/")
    assert page.path == "/verrou"
    assert page.headers["Clear-Site-Data"] == '"cache"'
    assert "Identifiez-vous pour continuer" in page


@pytest.mark.parametrize(("login", "minutes"), [("urg1", 2), ("manip1", 10), ("dr.traore", 15)])
def test_a_post_locks_after_its_own_time(
    log_in: Callable[[str], Person], clock: SetClock, login: str, minutes: int
) -> None:
    person = log_in(login)
    clock.advance(minutes * 60 - 1)
    assert person.see("/").path != "/verrou"
    clock.advance(minutes * 60 + 1)
    assert person.see("/").path == "/verrou"


def test_polls_do_not_keep_the_post_awake(clinician: Person, clock: SetClock) -> None:
    for _minute in range(5):
        clock.advance(30)
        clinician.client.get("/?auto=1", headers={"HX-Request": "true"})
    answer = clinician.client.get("/?auto=1", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/verrou"


def test_working_keeps_the_post_awake(clinician: Person, clock: SetClock) -> None:
    for _minute in range(5):
        clock.advance(60)
        assert clinician.see("/").path == "/"


def test_a_new_login_gets_a_new_token(log_in: Callable[[str], Person]) -> None:
    person = log_in("urg1")
    before = person.client.get_cookie(COOKIE)
    assert before is not None
    person.press("Verrouiller")
    person.press("Entrer", nom="urg1", secret=PASSWORD)
    after = person.client.get_cookie(COOKIE)
    assert after is not None
    assert after.value != before.value
    assert (after.secure, after.http_only, after.same_site) == (True, True, "Strict")


def test_a_form_from_elsewhere_is_refused(clinician: Person, app: Flask) -> None:
    form = clinician.page.form_with("Verrouiller")
    without = clinician.client.post("/quitter")
    elsewhere = clinician.client.post("/quitter", data=form.fields, headers={"Sec-Fetch-Site": "cross-site"})
    foreign = clinician.client.post("/quitter", data=form.fields, headers={"Origin": "http://ailleurs.example"})
    assert [without.status_code, elsewhere.status_code, foreign.status_code] == [403, 403, 403]
    own = clinician.client.post(
        "/quitter", data=form.fields, headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    )
    assert own.status_code == 303


def test_nobody_is_logged_in_by_another_site(stranger: Person, services: Services) -> None:
    account(services, "urg1")
    answer = stranger.client.post("/connexion", data={"nom": "urg1", "secret": PASSWORD})
    assert answer.status_code == 403


def test_an_account_that_is_closed_ends_at_the_next_request_of_every_browser(
    clinician: Person, exams: Exams, services: Services
) -> None:
    key = exams.key(exams.to_read())
    assert clinician.client.get(f"/img/{key}/frame").status_code == 200
    services.people.remove_user(ADMIN, "urg1")
    assert clinician.client.get(f"/img/{key}/frame").status_code == 401
    assert clinician.see("/").path == "/connexion"


def test_a_new_password_ends_the_browsers_that_were_open(clinician: Person, services: Services) -> None:
    assert clinician.see("/").path == "/"
    services.people.set_secret(ADMIN, "urg1", "harmattan-2027")
    assert clinician.see("/").path == "/verrou"
