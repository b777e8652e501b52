"""One hospital day at every door of a box that dies: its people, its machines, and what they ask for in a round."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.model.order import OrderDraft
from core.rpc.client import Client
from core.rpc.contract import Arrive, Complete, PlaceOrder, PrintLabel, Register, Start, Verify
from install.demo.accounts import PASSWORD, PIN
from install.demo.browser import Browser
from install.demo.children import Child
from tests.crash.books import Books
from tests.crash.requests import Asked, Clicked, Line, Message, Request, Store
from tests.crash.ward import admitted, child, image, ordered, stranger
from tests.days.his import His
from tests.days.site import Site

EXAMS = 6  # of a child: arrival, two with images, start, end, report
BIG_EVERY = 10  # rounds


@dataclass(frozen=True)
class Act:
    """Something that a person or a machine wants done once. times: how often the books hold it."""

    request: Request
    times: Callable[[], int]
    before: Callable[[], None] = field(default=lambda: None)  # what must be on the screen first

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def kind(self) -> str:
        return "message" if isinstance(self.request, Message) else self.name.partition(" ")[0]

    def done(self) -> None:
        """Asked for, and answered."""
        self.before()
        self.request.send()
        self.request.answer()


class Day:
    """The box, who talks to it, and what they have sent so far. Round n: child n is examined, child n+1 announced."""

    def __init__(self, folder: Path, his: His) -> None:
        self.site = Site(folder).start()
        self.site.furnish(his.port)
        self.books = Books(self.site.data)
        self.letters: dict[str, bytes] = {}
        self.images: dict[str, str] = {}  # SOP Instance UID: SHA-256 of the data set
        self._sit_down()
        for act in self._announced(child(0)):
            act.done()

    def _sit_down(self) -> None:
        """Terminals, the radiologist's browser and the HIS connect to the box as it is now."""
        socket = Path(self.site.box.addresses["rpc"])
        self.desk, self.room = Client(socket, "accueil1").start(), Client(socket, "salle1").start()
        for client, login in ((self.desk, "accueil"), (self.room, "manip")):
            assert client.wait_until_up(20)
            client.login(login, PASSWORD)
        self.reader = Browser(self.site.kiosk)
        self.reader.get("/connexion")
        self.reader.submit("/connexion", nom="radiologue", secret=PASSWORD)
        self.line = Line(self._door("hl7"))

    def stand_up(self) -> None:
        self.desk.close()
        self.room.close()
        self.line.close()

    def restart(self) -> None:
        """The same command again; nobody helps."""
        self.stand_up()
        self.site.start()
        self._sit_down()

    def prepare(self, number: int) -> None:
        """Before a round: an exam is under way, a report is written and waits for its signature."""
        *_others, ending, reporting = (step for step, _study in self.books.steps_of(child(number)))
        for call in (Start(ending), Start(reporting), Complete(reporting), Verify(reporting)):
            self.room.ask(call)
        self._to_the_signature(reporting)

    def look(self) -> None:
        """The radiologist looks at the newest image: a worker process draws it."""
        key = self.books.one("SELECT key FROM instance WHERE rows = 16 ORDER BY id DESC LIMIT 1")
        self.reader.get(f"/img/{key}/frame?size=16")

    def round(self, number: int) -> list[Act]:
        """Everything that is asked for in a round, on connections of now."""
        return [*self._examined(number), *self._announced(child(number + 1))]

    def _door(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", self.site.box.port(name)

    def _announced(self, who: Child) -> list[Act]:
        """The HIS admits a child and orders its exams. Unanswered, it sends the same bytes again."""
        acts = []
        for control_id, text in (admitted(who), *(ordered(who, n, 10 * n) for n in range(EXAMS))):
            message = Message(control_id, self.line, self.letters.setdefault(control_id, text))
            acts.append(Act(message, lambda name=control_id: self.books.messages(name)))  # type: ignore[misc]
        return acts

    def _examined(self, number: int) -> list[Act]:
        who, books = child(number), self.books
        arriving, first, second, starting, ending, reporting = books.steps_of(who)
        acts = [act for n, (_step, study) in enumerate((first, second)) for act in self._imaged(number, n, study)]
        for step, event, client, call, already in (
            (arriving[0], "PATIENT_ARRIVED", self.desk, Arrive(arriving[0]), "accueil"),
            (starting[0], "ACQUISITION_STARTED", self.room, Start(starting[0]), "en salle"),
            (ending[0], "ACQUISITION_ENDED", self.room, Complete(ending[0]), "fait"),
        ):
            asked = Asked(f"{event} {step}", client, call, already)
            acts.append(Act(asked, lambda step=step, event=event: books.events(step, event)))  # type: ignore[misc]
        return [*acts, *self._at_the_desk(number, arriving[0]), self._signed(reporting[0])]

    def _imaged(self, number: int, exam: int, study: str) -> list[Act]:
        acts = []
        for n in range(2):
            uid = f"{study}.{n}"[-64:].lstrip(".0")
            sent = image(child(number), study, uid, big=(number % BIG_EVERY, exam, n) == (0, 0, 0))
            digest = self.images[uid] = hashlib.sha256(sent).hexdigest()
            store = Store(f"store {number}.{exam}.{n}", self._door("dicom"), "RADIO1", uid, sent)
            acts.append(Act(store, lambda uid=uid, digest=digest: self.books.images(uid, digest)))  # type: ignore[misc]
        return acts

    def _at_the_desk(self, number: int, step: int) -> list[Act]:
        """What makes something new must not make it twice: a label, a patient, an order."""
        books, patient = self.books, self.books.one("SELECT patient_id FROM step WHERE id = ?", step)
        label, birth, wish = f"label {number}", f"register {number}", f"order {number}"
        new, draft = stranger(number), OrderDraft(patient, "RX-THORAX", "ZONGO", wish, idempotency_key=wish)
        labels = "SELECT COUNT(*) FROM print_job WHERE idempotency_key = 'label:' || ?"
        patients = "SELECT COUNT(*) FROM patient WHERE family_name = ?"
        orders = "SELECT COUNT(*) FROM imaging_service_request WHERE indication = ?"
        return [
            Act(Asked(label, self.desk, PrintLabel(step, "", label)), lambda: books.one(labels, label)),
            Act(Asked(birth, self.desk, Register(new, "fratrie", birth)), lambda: books.one(patients, new.family_name)),
            Act(Asked(wish, self.desk, PlaceOrder(draft)), lambda: books.one(orders, wish)),
        ]

    def _signed(self, step: int) -> Act:
        name = f"sign {step}"
        click = f"/lecture/{step}/signature"
        clicked = Clicked(name, self.reader, lambda b: b.submit(click, secret=PIN, motif="vu ailleurs"), f"/cr/{step}")
        return Act(clicked, lambda: self.books.signatures(step), lambda: self._to_the_signature(step))

    def _to_the_signature(self, step: int) -> None:
        self.reader.get("/lecture")
        self.reader.submit(f"/lecture/{step}/ouvrir")
        self.reader.submit(f"/lecture/{step}", findings="Foyer.", conclusion="Pneumopathie.", acte="signer")
