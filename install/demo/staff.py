"""The demo's own staff, so that the day moves without a visitor: reception, technologist, one radiologist's report.

They use the same doors as people: the terminals' socket and the kiosk's forms. What is left undone is for the visitor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.errors import YelenError
from core.i18n import _
from core.model.query import DayFilter
from core.model.worklist import ExamLine, WorklistStatus
from core.rpc.client import Client
from core.rpc.contract import Arrive, GetDayPage, Verify
from install.demo.accounts import PASSWORD, PIN
from install.demo.browser import Browser
from install.demo.children import visits

LEFT_TO_THE_VISITOR = frozenset(v.child.number for v in visits(datetime.now(UTC).date()) if not v.comes)

SIGNED = (WorklistStatus.VALIDATED, WorklistStatus.SENT)


def _is_chest(line: ExamLine) -> bool:
    return line.exam_code == "RX-THORAX"


class Staff:
    """Looks at the day every second and does what is due. speed: minutes of the demo's day in a real minute."""

    def __init__(self, socket: Path, kiosk: str, began: datetime, speed: float, say: Callable[[str], None]) -> None:
        self._kiosk = kiosk
        self._speed = speed
        self._say = say
        self._began = began
        self._leaving = threading.Event()
        self._reception = Client(socket, "demo-accueil").start()
        self._room = Client(socket, "demo-salle").start()
        self._thread = threading.Thread(target=self._run, name="staff", daemon=True)

    def start(self) -> None:
        self._reception.wait_until_up(20)
        self._room.wait_until_up(20)
        self._reception.login("accueil", PASSWORD)
        self._room.login("manip", PASSWORD)
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join(5)
        self._reception.close()
        self._room.close()

    def _run(self) -> None:
        while not self._leaving.wait(1.0):
            try:
                self._look()
            except (YelenError, OSError, LookupError) as fault:
                self._say(_("(démonstration) %s") % fault)

    def _look(self) -> None:
        page = self._reception.ask(GetDayPage(DayFilter(datetime.now(UTC).date()), 0, 200))
        signed = any(_is_chest(line) and line.status in SIGNED for line in page.lines)
        for line in page.lines:
            if line.status is WorklistStatus.SCHEDULED and self._due(line):
                self._reception.ask(Arrive(line.step_id))
                self._say(_("Accueil : %s est arrivé(e) pour %s") % (line.patient_name, line.exam_label))
            elif line.status is WorklistStatus.DONE and line.images:
                self._room.ask(Verify(line.step_id))
                self._say(_("Manipulateur : %s vérifié, à interpréter") % line.exam_label)
            elif line.status is WorklistStatus.TO_READ and _is_chest(line) and not signed:
                signed = True
                self._sign(line)

    def _due(self, line: ExamLine) -> bool:
        if line.patient_number in LEFT_TO_THE_VISITOR or line.scheduled_at is None:
            return False
        now = datetime.now(UTC)
        passed = self._began + (now - self._began) * self._speed
        return line.scheduled_at <= passed

    def _sign(self, line: ExamLine) -> None:
        """One report, through the kiosk's forms, so that the ward has something to read."""
        browser = Browser(self._kiosk)
        browser.get("/connexion")
        browser.submit("/connexion", nom="radiologue", secret=PASSWORD)
        browser.get("/lecture")
        browser.submit(f"/lecture/{line.step_id}/ouvrir")
        browser.submit(
            f"/lecture/{line.step_id}",
            technique=_("Radiographie du thorax de face."),
            findings=_("Foyer de la base droite. Pas d'épanchement pleural. Silhouette cardiaque normale."),
            conclusion=_("Pneumopathie de la base droite."),
            acte="signer",
        )
        browser.submit(f"/lecture/{line.step_id}/signature", secret=PIN)
        browser.get("/verrou")
        self._say(_("Radiologue : compte rendu de %s signé") % line.patient_name)
