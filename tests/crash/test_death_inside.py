"""The box dies at one exact system call inside an act, at every door but that of images (`test_start_after_kill`).

What had not reached the index is not there; what had is there though nobody was answered. Asked for again it is there
once, printed once, and heard by the HIS under one number.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.dicom import dimse
from core.model.order import OrderDraft
from core.rpc.client import Client
from core.rpc.contract import Arrive, Complete, PlaceOrder, PrintLabel, Start, Verify, VerifyAudit
from install.demo.accounts import PASSWORD, PIN
from install.demo.browser import Browser
from tests.crash.books import Books
from tests.crash.day import Act
from tests.crash.kill import Listener
from tests.crash.performed import Performed, begun, ended
from tests.crash.requests import Asked, Clicked, Line, Message
from tests.crash.traced import traced
from tests.crash.ward import admitted, child
from tests.days.his import His
from tests.days.site import Site
from tests.replication.buildings import until
from tests.skips import needs_strace

pytestmark = needs_strace
HANGING_S = 30
NOTHING, DONE = 0, 1  # how often the books hold the act after the start
# Where an act that touches only the index may die: before its first byte is in the log, in the sync, in the answer.
IN_THE_INDEX = {"pwrite64": NOTHING, "fdatasync": DONE, "sendto": DONE}
WITH_PAPER = {"fsync:when=1": NOTHING, "rename": NOTHING, "fsync:when=2": NOTHING} | IN_THE_INDEX
INSIDE = {
    "message": IN_THE_INDEX,
    "arrival": IN_THE_INDEX,
    "begin": IN_THE_INDEX,
    "end": IN_THE_INDEX,
    "label": WITH_PAPER,
    "signature": IN_THE_INDEX,
}
EVERY_RUN = ("message pwrite64", "message sendto", "label rename", "signature pwrite64", "signature sendto")


def _deaths() -> Iterator[object]:
    for kind, deaths in INSIDE.items():
        for death, times in deaths.items():
            often = death == "fdatasync" or f"{kind} {death}" in EVERY_RUN
            yield pytest.param(kind, death, times, marks=() if often else pytest.mark.full)


class Hospital:
    """A box, its HIS, and one child whose exams are made when they are needed."""

    def __init__(self, folder: Path) -> None:
        self.his = His()
        self.site = Site(folder).start().furnish(self.his.port)
        self.books = Books(self.site.data)
        self.child = child(0)
        self._heard: dict[str, str] = {}
        self._serial = itertools.count(1)
        self._sit_down()
        control_id, letter = admitted(self.child)
        Act(Message(control_id, self.line, letter), lambda: 1).done()
        self.patient = int(self.books.one("SELECT id FROM patient WHERE number = ?", self.child.number))

    def _sit_down(self) -> None:
        socket = Path(self.site.box.addresses["rpc"])
        self.desk, self.room = Client(socket, "accueil1").start(), Client(socket, "salle1").start()
        for client, login in ((self.desk, "accueil"), (self.room, "manip")):
            assert client.wait_until_up(20)
            client.login(login, PASSWORD)
        self.reader = Browser(self.site.kiosk)
        self.reader.get("/connexion")
        self.reader.submit("/connexion", nom="radiologue", secret=PASSWORD)
        self.line = Line(self.door("hl7"))

    def stand_up(self) -> None:
        self.desk.close()
        self.room.close()
        self.line.close()

    def restart(self) -> None:
        """The same command again. At its start the box writes once by itself: what its printer says."""
        self.stand_up()
        before = self._printer_seen()
        self.site.start()
        until(lambda: self._printer_seen() != before, "the printer was looked at")
        self._sit_down()

    def _printer_seen(self) -> object:
        return self.books.one("SELECT state_at FROM printer")

    def close(self) -> None:
        self.stand_up()
        self.site.close()
        self.his.close()

    def heard(self) -> dict[str, str]:
        """What the HIS has heard so far by MSH-10: what came twice was the same bytes."""
        while not self.his.results.empty():
            message = self.his.results.get()
            number, text = str(message.extract_field("MSH", 0, 10)), str(message)
            assert self._heard.setdefault(number, text) == text
        return self._heard

    def door(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", self.site.box.port(name)

    # Every act is made twice: before the death, and after it on connections of then.

    def wish(self, kind: str) -> Callable[[], Act]:
        makers: dict[str, Callable[[], Callable[[], Act]]] = {
            "message": self._message,
            "arrival": self._arrival,
            "begin": self._begin,
            "end": self._end,
            "label": self._label,
            "signature": self._signature,
        }
        return makers[kind]()

    def _message(self) -> Callable[[], Act]:
        control_id, letter = admitted(child(next(self._serial)))
        return lambda: Act(Message(control_id, self.line, letter), lambda: self.books.messages(control_id))

    def _arrival(self) -> Callable[[], Act]:
        step = self._ordered()
        asked = Arrive(step, idempotency_key=f"arrival {step}")
        return lambda: Act(
            Asked(f"arrival {step}", self.desk, asked, "accueil"), lambda: self.books.events(step, "PATIENT_ARRIVED")
        )

    def _begin(self) -> Callable[[], Act]:
        step = self._ordered()
        return lambda: self._begun(step)

    def _begun(self, step: int) -> Act:
        said = begun(self.child, self._study_of(step))
        request = Performed(f"begin {step}", self.door("dicom"), dimse.N_CREATE_RQ, f"1.9.{step}", said)
        return Act(request, lambda: self.books.events(step, "ACQUISITION_STARTED"))

    def _end(self) -> Callable[[], Act]:
        step = self._ordered()
        self._begun(step).done()
        return lambda: Act(
            Performed(f"end {step}", self.door("dicom"), dimse.N_SET_RQ, f"1.9.{step}", ended()),
            lambda: self.books.events(step, "ACQUISITION_ENDED"),
        )

    def _label(self) -> Callable[[], Act]:
        step, jobs = self._ordered(), "SELECT COUNT(*) FROM print_job WHERE step_id = ?"
        label = PrintLabel(step, "", f"label {step}")
        return lambda: Act(Asked(f"label {step}", self.desk, label), lambda: self.books.one(jobs, step))

    def _signature(self) -> Callable[[], Act]:
        step = self._ordered()
        self.desk.ask(Arrive(step))
        for call in (Start(step), Complete(step), Verify(step)):
            self.room.ask(call)
        click = f"/lecture/{step}/signature"
        return lambda: Act(
            Clicked(
                f"signature {step}",
                self.reader,
                lambda b: b.submit(click, secret=PIN, motif="vu ailleurs"),
                f"/cr/{step}",
            ),
            lambda: self.books.signatures(step),
            lambda: self._to_the_signature(step),
        )

    def _to_the_signature(self, step: int) -> None:
        self.reader.get("/lecture")
        self.reader.submit(f"/lecture/{step}/ouvrir")
        self.reader.submit(f"/lecture/{step}", findings="Foyer.", conclusion="Pneumopathie.", acte="signer")

    def _ordered(self) -> int:
        wish = f"order {next(self._serial)}"
        return self.desk.ask(
            PlaceOrder(OrderDraft(self.patient, "RX-THORAX", "ZONGO", wish, idempotency_key=wish))
        ).step_id

    def _study_of(self, step: int) -> str:
        asked = (
            "SELECT study_instance_uid FROM requested_procedure r JOIN step s ON s.procedure_id = r.id WHERE s.id = ?"
        )
        return str(self.books.one(asked, step))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    hospital = Hospital(tmp_path_factory.mktemp("morts"))
    yield hospital
    hospital.close()


def dies(hospital: Hospital, act: Act, *options: str) -> bool:
    """The box dies where strace says. Whether the act had been answered."""
    act.before()
    until_delivered(hospital)
    with traced(hospital.site.box.process.pid, *options):
        act.request.send()
        listener = Listener(act)
        hospital.site.box.process.wait(HANGING_S)
    listener.join()
    return listener.answered


def until_delivered(hospital: Hospital) -> None:
    waiting = (
        "SELECT (SELECT COUNT(*) FROM outbox WHERE state <> 'ACCEPTED') + "
        "(SELECT COUNT(*) FROM print_job WHERE state <> 'done')"
    )
    until(lambda: hospital.books.one(waiting) == 0, "every result is at the HIS and every sheet on paper")


def check_all(hospital: Hospital) -> None:
    """Files, rows, audit, paper and results agree."""
    until_delivered(hospital)
    hospital.books.check_files()
    hospital.books.check_once()
    assert hospital.site.ask(VerifyAudit()).ok
    jobs = {f"{job:06d}-etiquette.pdf" for (job,) in hospital.books.ask("SELECT id FROM print_job")}
    assert {path.name for path in hospital.site.paper.iterdir()} == jobs
    assert set(hospital.heard()) == {number for (number,) in hospital.books.ask("SELECT control_id FROM outbox")}


@pytest.mark.parametrize(("kind", "death", "times"), list(_deaths()))
def test_an_act_is_there_whole_or_not_at_all(hospital: Hospital, kind: str, death: str, times: int) -> None:
    wish = hospital.wish(kind)
    assert not dies(hospital, wish(), "-e", f"inject={death}:signal=KILL")
    hospital.restart()
    again = wish()
    assert again.times() == times
    if not (kind == "signature" and times):  # a person looks first whether it is signed
        again.done()
    assert again.times() == 1
    check_all(hospital)


@pytest.mark.parametrize("death", [*(pytest.param(d, marks=pytest.mark.full) for d in ("openat", "fsync")), "rename"])
def test_a_sheet_is_printed_once_though_the_box_dies_at_the_printer(hospital: Hospital, death: str) -> None:
    wish = hospital.wish("label")
    job = int(hospital.books.one("SELECT COALESCE(MAX(id), 0) + 1 FROM print_job"))
    sheet = hospital.site.paper / f".{job:06d}-etiquette.pdf.partial"
    dies(hospital, wish(), "-P", str(sheet), "-e", f"inject={death}:signal=KILL")
    _done_once_after_the_start(hospital, wish)


def test_a_sheet_is_printed_once_though_nobody_noted_it(hospital: Hospital) -> None:
    """The last thing before the job is done is the sync of the printer's folder."""
    wish = hospital.wish("label")
    dies(hospital, wish(), "-P", str(hospital.site.paper), "-e", "inject=fsync:signal=KILL")
    _done_once_after_the_start(hospital, wish)


def test_a_result_on_its_way_reaches_the_his_after_the_start(hospital: Hospital) -> None:
    """That a result which was heard and not noted keeps its number: `test_kill_day`, whose HIS falls silent."""
    hospital.site.box.kill()
    hospital.restart()  # nothing waits for the HIS: no connection to it is open
    wish = hospital.wish("signature")
    dies(hospital, wish(), "-e", "inject=connect:signal=KILL")
    hospital.restart()
    assert wish().times() == DONE
    check_all(hospital)


def _done_once_after_the_start(hospital: Hospital, wish: Callable[[], Act]) -> None:
    hospital.restart()
    again = wish()
    assert again.times() == DONE
    again.done()
    assert again.times() == DONE
    check_all(hospital)
