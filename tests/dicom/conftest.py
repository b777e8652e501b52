"""A door with a small registry and an archive that is a folder, for tests that need no services."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.clock import Clock, SetClock, SystemClock
from core.dicom import conformance, dimse
from core.dicom.commitment_report import CommitmentReports
from core.dicom.dimse import Reply
from core.dicom.door import open_reports
from core.dicom.handlers import Request, Routes
from core.dicom.limits import Limits
from core.dicom.negotiation import Caller
from core.dicom.notes import Happened, Note
from core.dicom.secure import Line
from core.dicom.server import DicomServer
from core.dicom.verification import Verification
from core.errors import OutOfResources
from tests.dicom.department import Department, open_department
from tests.dicom.modality import PATIENCE


class Registry:
    """CT1 and US1 may come from any loopback address but 127.0.0.66."""

    known = ("CT1", "US1", "PYNETDICOM", "BENCH")

    def admit(self, ae_title: str, address: str, line: Line) -> Caller | None:
        if address == "127.0.0.66" or ae_title.upper() not in self.known:
            return None
        return Caller(ae_title.upper(), address)


class Shelf:
    """An archive that keeps data sets by SOP instance UID; big ones pass through a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[str, bytes] = {}
        self.syntaxes: dict[str, str] = {}
        self.refuse: Exception | None = None
        self.full_after: int | None = None

    def begin(self, request: Request) -> Slot:
        if self.refuse is not None:
            raise self.refuse
        return Slot(self, request)

    def seen(self, ae_title: str, what: str) -> None:
        """A sign of life; nobody keeps it here."""

    def leftovers(self) -> list[Path]:
        return list(self.folder.iterdir())


class Slot:
    def __init__(self, shelf: Shelf, request: Request) -> None:
        self._shelf = shelf
        self._instance = request.command.sop_instance
        shelf.syntaxes[self._instance] = request.context.transfer_syntax
        self._part = shelf.folder / f"{id(self)}.part"
        self._file: Any = None

    def store(self, whole: memoryview) -> Reply:
        self._shelf.kept[self._instance] = bytes(whole)
        return Reply(0)

    def open(self) -> None:
        self._file = self._part.open("wb")

    def write(self, piece: memoryview) -> None:
        self._file.write(piece)
        full = self._shelf.full_after
        if full is not None and self._file.tell() > full:
            raise OutOfResources("plus de place")

    def close(self) -> Reply:
        self._file.close()
        self._shelf.kept[self._instance] = self._part.read_bytes()
        self._part.unlink()
        return Reply(0)

    def abort(self) -> None:
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)


def offer(abstract_syntax: str, caller: Caller) -> tuple[str, ...]:
    if conformance.is_storage(abstract_syntax):
        return conformance.STORAGE_SYNTAXES
    if abstract_syntax in (conformance.VERIFICATION, conformance.STUDY_ROOT_FIND, conformance.STORAGE_COMMITMENT):
        return conformance.MESSAGE_SYNTAXES
    return ()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture
def routes(shelf: Shelf) -> Routes:
    return Routes(offer, {(conformance.VERIFICATION, dimse.C_ECHO_RQ): Verification(shelf).echo}, shelf)


class Notes:
    """What the door noted; a test may wait for a note, the door never waits for a test."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._written = threading.Condition()

    def append(self, note: Note) -> None:
        with self._written:
            self._notes.append(note)
            self._written.notify_all()

    def kinds(self) -> list[str]:
        with self._written:
            return [str(note.what) for note in self._notes]

    def await_one(self, what: Happened, count: int = 1) -> Note:
        """The last of `count` notes of a kind, once they are there."""
        with self._written:
            there = self._written.wait_for(lambda: len(self._of(what)) >= count, PATIENCE)
            assert there, f"no {what} among {self._notes}"
            return self._of(what)[-1]

    def _of(self, what: Happened) -> list[Note]:
        return [note for note in self._notes if note.what is what]


@pytest.fixture
def notes() -> Notes:
    return Notes()


OpenDoor = Callable[..., DicomServer]


@pytest.fixture
def open_door(routes: Routes, notes: Notes) -> Iterator[OpenDoor]:
    """open_door(clock=…, routes=…, **limits) -> a listening server, stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(clock: Clock | None = None, routes: Routes = routes, **limits: Any) -> DicomServer:
            chosen = Limits(**{"tick": 0.05, **limits})
            server = DicomServer(
                "YELEN", "127.0.0.1", 0, Registry(), routes, clock or SystemClock(), chosen, notes.append
            )
            server.start()
            stack.callback(server.stop, 2.0)
            return server

        yield start


@pytest.fixture
def door(open_door: OpenDoor) -> DicomServer:
    return open_door()


MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday; Ouagadougou is on UTC


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def department(tmp_path: Path, clock: SetClock) -> Iterator[Department]:
    data = tmp_path / "data"
    data.mkdir()
    department = open_department(data, clock)
    yield department
    department.index.close()


@pytest.fixture
def department_door(department: Department) -> Iterator[DicomServer]:
    server = department.door()
    server.start()
    yield server
    server.stop(2.0)


@pytest.fixture
def reports(department: Department, clock: SetClock) -> Iterator[CommitmentReports]:
    """The thread that answers, as the box starts it."""
    made = open_reports(department.services, department.kit.config.dicom, clock, department.services.release_thread)
    department.reports = made
    made.start()
    yield made
    made.stop()


@pytest.fixture
def reporting_door(department: Department, reports: CommitmentReports) -> Iterator[DicomServer]:
    server = department.door(idle_time=1e6)  # the hands are turned by hours here
    server.start()
    yield server
    server.stop(2.0)
