"""kill -9 at seeded moments of a day: it restarts alone, keeps every promise, and does nothing twice.

Each round sends the same day's acts at every door. At a seeded number of requests written, right after the last byte of
that request, the box dies. What was answered must be there; what was not is sent again and must then be there once.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import YelenError
from core.rpc.client import Client
from core.rpc.contract import Arrive, Complete, PrintLabel, Start, Verify
from install.demo.accounts import PASSWORD, PIN
from install.demo.browser import Browser
from install.demo.children import Child
from tests.crash.requests import Asked, Clicked, Dead, Message, Request, Store
from tests.crash.ward import Books, admitted, child, image, ordered
from tests.days.his import His
from tests.days.site import Site
from tests.install.boxes import yelen
from tests.replication.buildings import until

ROUNDS = 20
IN_FLIGHT_AT_LEAST = 12
EXAMS = 5  # of a child: arrival, two with images, start, report
SEED = 20261124


class Day:
    """The box, who talks to it, and what was promised so far."""

    def __init__(self, folder: Path, his: His) -> None:
        self.site = Site(folder).start()
        self.site.furnish(his.port)
        self.books = Books(self.site.data)
        self.his = his
        self.children: list[Child] = []
        self.images: dict[str, bytes] = {}
        self.letters: dict[str, bytes] = {}
        self.desk = self.room = self.reader = None  # type: ignore[assignment]
        self.sit_down()

    def sit_down(self) -> None:
        """Terminals and the radiologist's browser connect to the box as it is now."""
        socket = Path(self.site.box.addresses["rpc"])
        self.desk, self.room = Client(socket, "accueil1").start(), Client(socket, "salle1").start()
        for client, login in ((self.desk, "accueil"), (self.room, "manip")):
            assert client.wait_until_up(20)
            client.login(login, PASSWORD)
        self.reader = Browser(self.site.kiosk)
        self.reader.get("/connexion")
        self.reader.submit("/connexion", nom="radiologue", secret=PASSWORD)

    def stand_up(self) -> None:
        self.desk.close()
        self.room.close()

    def door(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", self.site.box.port(name)

    # The acts of a round.

    def announce(self, who: Child) -> list[Request]:
        """The HIS admits a child and orders its exams."""
        letters = [admitted(who), *(ordered(who, n, 10 * n) for n in range(EXAMS))]
        # A HIS that was not answered sends the same bytes again.
        kept = [(control_id, self.letters.setdefault(control_id, text)) for control_id, text in letters]
        return [Message(control_id, self.door("hl7"), text) for control_id, text in kept]

    def live(self, who: Child) -> list[Request]:
        """What happens to the exams of a child that was announced before."""
        steps = self.books.steps_of(who)
        acts: list[Request] = []
        arrival, first, second, start, _report = steps
        for n, (_step, _status, study) in enumerate((first, second)):
            for m in range(2):
                uid = f"{study}.{m}"[-64:].lstrip(".0")
                sent = self.images.setdefault(uid, image(who, study, uid))
                acts.append(Store(f"store {who.number} {n}.{m}", self.door("dicom"), "RADIO1", uid, sent))
        acts.append(
            Asked(f"arrive {arrival[0]}", self.desk, Arrive(arrival[0], True, f"arrive {arrival[0]}"), "accueil")
        )
        acts.append(Asked(f"label {arrival[0]}", self.desk, PrintLabel(arrival[0], "", f"label {arrival[0]}")))
        acts.append(Asked(f"start {start[0]}", self.room, Start(start[0]), "en salle"))
        return acts

    def ready_to_sign(self, who: Child) -> int:
        """The fifth exam of a child goes as far as the signature page; its step."""
        step = self.books.steps_of(who)[4][0]
        self.room.ask(Start(step))
        self.room.ask(Complete(step))
        self.room.ask(Verify(step))
        self.to_the_signature(step)
        return step

    def to_the_signature(self, step: int) -> None:
        self.reader.get("/lecture")
        self.reader.submit(f"/lecture/{step}/ouvrir")
        self.reader.submit(f"/lecture/{step}", findings="Foyer.", conclusion="Pneumopathie.", acte="signer")

    def signature(self, step: int) -> Request:
        click = f"/lecture/{step}/signature"
        return Clicked(f"sign {step}", self.reader, lambda b: b.submit(click, secret=PIN), f"/cr/{step}")

    # The kill.

    def killed_during(self, requests: list[Request], dice: random.Random) -> tuple[set[str], int]:
        """Send, die at a seeded request; names of the answered ones, and how many were in flight at the kill."""
        answered: set[str] = set()
        guard = threading.Lock()
        listeners: list[threading.Thread] = []
        last = dice.randrange(1, len(requests) + 1)
        patient = [dice.random() < 0.5 for _request in requests]
        sent = 0
        for request, waits in zip(requests[:last], patient, strict=False):
            request.send()
            sent += 1
            if sent == last:
                self.site.box.process.kill()
                break
            listener = threading.Thread(target=_listen, args=(request, answered, guard), daemon=True)
            listener.start()
            listeners.append(listener)
            if waits:
                listener.join(30)
        with guard:
            in_flight = sent - len(answered)
        self.site.box.process.wait(30)
        _listen(requests[last - 1], answered, guard)
        for listener in listeners:
            listener.join(30)
        return answered, in_flight

    def restart(self) -> None:
        self.stand_up()
        self.site.start()
        self.sit_down()


def _listen(request: Request, answered: set[str], guard: threading.Lock) -> None:
    try:
        request.answer()
    except Dead:
        return
    with guard:
        answered.add(request.name)


def done_again(day: Day, requests: list[Request], answered: set[str], signing: int) -> None:
    """Whoever was not answered asks again, as people and machines do."""
    for request in requests:
        if request.name in answered:
            continue
        if request.name == f"sign {signing}":
            if day.books.one("SELECT report_status FROM step WHERE id = ?", signing) != "SIGNED":
                day.to_the_signature(signing)
                request.send()
                request.answer()
            continue
        request.send()
        request.answer()


def check(day: Day, who: Child, signing: int) -> None:
    """Everything that was promised is there, once."""
    day.books.check_files()
    day.books.check_once(day.children)
    arrival, first, second, start, _report = (s[0] for s in day.books.steps_of(who))
    assert day.books.events(arrival, "PATIENT_ARRIVED") == 1
    assert day.books.events(start, "ACQUISITION_STARTED") == 1
    for step in (first, second):
        assert day.books.events(step, "ACQUISITION_STARTED") == 1
        assert day.books.one("SELECT SUM(instances) FROM study WHERE step_id = ?", step) == 2
    for uid, sent in day.images.items():
        assert day.books.holds(uid, sent), uid
    assert day.books.one("SELECT COUNT(*) FROM print_job WHERE idempotency_key = ?", f"label {arrival}") == 1
    assert day.books.one("SELECT COUNT(*) FROM report_version WHERE step_id = ?", signing) == 1
    assert day.books.events(signing, "SIGNED") == 2, "once for the report, once for its delivery"


@pytest.fixture
def his() -> Iterator[His]:
    listening = His()
    yield listening
    listening.close()


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(200, marks=pytest.mark.full)])
def test_a_killed_box_keeps_its_promises_and_does_nothing_twice(tmp_path: Path, his: His, rounds: int) -> None:
    dice = random.Random(SEED)
    day = Day(tmp_path, his)
    first = child(1)
    day.children.append(first)
    for request in day.announce(first):
        request.send()
        request.answer()
    in_flight: list[int] = []
    try:
        for number in range(rounds):
            who, coming = day.children[-1], child(number + 2)
            signing = day.ready_to_sign(who)
            acts = [*day.live(who), day.signature(signing), *day.announce(coming)]
            names = [a.name for a in acts]
            # An admission comes before its orders; the rest comes as it comes.
            order = sorted(range(len(acts)), key=lambda n: dice.random())
            sequence = [acts[n] for n in order]
            answered, flying = day.killed_during(sequence, dice)
            in_flight.append(flying)
            day.restart()
            day.children.append(coming)
            again = [*day.live(who), day.signature(signing), *day.announce(coming)]
            assert [a.name for a in again] == names
            done_again(day, again, answered, signing)
            check(day, who, signing)
        until(lambda: _all_delivered(day), "every result is at the HIS and every label on paper")
        _check_results(day)
        assert sum(1 for n in in_flight if n) >= min(IN_FLIGHT_AT_LEAST, rounds), in_flight
        verdict = yelen("audit", "verify", data=day.site.data)
        assert verdict.returncode == 0, verdict.stdout
        print(f"seed {SEED}, {rounds} kills, in flight: {in_flight}")
    except (AssertionError, YelenError, subprocess.SubprocessError) as fault:
        raise AssertionError(f"seed {SEED}, after {len(in_flight)} kills (in flight {in_flight}): {fault}") from fault
    finally:
        day.stand_up()
        day.site.close()


def _all_delivered(day: Day) -> bool:
    waiting = "SELECT (SELECT COUNT(*) FROM outbox WHERE state <> 'ACCEPTED') + "
    return bool(day.books.one(waiting + "(SELECT COUNT(*) FROM print_job WHERE state <> 'done')") == 0)


def _check_results(day: Day) -> None:
    """Every signed report reached the HIS; what came twice came under the same MSH-10. One sheet a label."""
    heard: dict[str, str] = {}
    while not day.his.results.empty():
        message = day.his.results.get()
        control_id, text = str(message.extract_field("MSH", 0, 10)), str(message)
        assert heard.setdefault(control_id, text) == text
    assert len(heard) == day.books.one("SELECT COUNT(*) FROM outbox")
    sheets = [p for p in day.site.paper.iterdir() if p.suffix == ".pdf"]
    assert len(sheets) == day.books.one("SELECT COUNT(*) FROM print_job")
