"""How the box stands, and what every page says of the second building."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.clock import SetClock
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person


def test_the_state_page_is_in_french(clinician: Person, exams: Exams, clock: SetClock) -> None:
    exams.to_read()
    clock.advance(6)
    page = clinician.see("/etat")
    assert "Second bâtiment" in page
    assert "Images 3" in page
    assert "site principal" in page
    assert re.search(r"Place libre \d+,\d %", str(page))


def test_every_page_says_that_there_is_no_second_building(clinician: Person) -> None:
    assert "second bâtiment : aucun" in clinician.see("/")


def test_the_lag_of_the_second_building_is_on_every_page(
    clinician: Person, services: Services, clock: SetClock
) -> None:
    services.ports.replica = lambda: {"role": "primary", "target": "bâtiment B", "lag_seq": 41, "lag_s": 190}
    clock.advance(6)
    assert "second bâtiment : retard 3 min" in clinician.see("/")
    services.ports.replica = lambda: {"role": "primary", "target": "bâtiment B", "lag_seq": 1, "lag_s": 2}
    clock.advance(6)
    assert "second bâtiment : retard de moins d'une minute" in clinician.see("/")
    services.ports.replica = lambda: {"role": "primary", "target": "bâtiment B", "lag_seq": 0, "lag_s": 0}
    clock.advance(6)
    assert "second bâtiment : à jour" in clinician.see("/")


def test_csp_reports_are_counted_for_the_administrator(log_in: Callable[[str], Person]) -> None:
    admin = log_in("admin")
    assert admin.client.post("/csp", data=b"{}", content_type="application/csp-report").status_code == 204
    assert "Alertes de sécurité (CSP) 1" in admin.see("/etat")
