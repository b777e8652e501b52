"""DCMTK's own worklist items and queries: the department answers as wlmscpfs and Orthanc's plugin do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from core.clock import SetClock
from core.dicom.server import DicomServer
from core.model.order import Exam, Room
from tests.dicom.department import RECEPTION, Department, open_department
from tests.dicom.test_worklist import ask
from tests.skips import corpus, needs_corpus, needs_dcmtk

pytestmark = [needs_dcmtk, needs_corpus]

ITEMS = (1, 2, 3, 4, 5, 10)


def from_dump(name: str, tmp_path: Path) -> Dataset:
    folder, program = corpus(), shutil.which("dump2dcm")
    assert folder is not None
    assert program is not None
    made = tmp_path / f"{name}.dcm"
    subprocess.run(
        [program, "-q", str(folder / "worklist" / f"dcmtk__{name}.dump"), str(made)], check=True, capture_output=True
    )
    return dcmread(made, force=True)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DicomServer]:
    """A department of 1996 with DCMTK's six patients, one room for each, and a machine that sees all rooms."""
    data = tmp_path / "data"
    data.mkdir()
    department = open_department(data, SetClock(datetime(1996, 3, 15, tzinfo=UTC)))
    department.machine("FINDSCU", all_rooms=True, worklist_window_days=400)
    for number in ITEMS:
        plan(department, from_dump(f"wklist{number}", tmp_path), f"R{number}")
    server = department.door()
    server.start()
    yield server
    server.stop(2.0)
    department.index.close()


def plan(department: Department, item: Dataset, room: str) -> None:
    [step] = item.ScheduledProcedureStepSequence
    titles = step.ScheduledStationAETitle
    titles = (titles,) if isinstance(titles, str) else tuple(titles)
    department.orders.save_room(RECEPTION, Room(room, room, step.Modality, titles))
    department.orders.save_exam(RECEPTION, Exam(room, "EXAM", step.Modality, (room,)))
    at = datetime.strptime(step.ScheduledProcedureStepStartDate + step.ScheduledProcedureStepStartTime, "%Y%m%d%H%M%S")
    name = item.PatientName
    child = department.child(name.family_name, f"{name.given_name} {name.middle_name}")
    department.order(child, room, room, at.replace(tzinfo=UTC))


@pytest.mark.parametrize(("query", "expected"), [(0, 6), (1, 6), (2, 0), (3, 6), (4, 0), (5, 4)])
def test_the_expected_number_of_items_is_found(door: DicomServer, tmp_path: Path, query: int, expected: int) -> None:
    assert len(ask(door, from_dump(f"wlistqry{query}", tmp_path), "FINDSCU")) == expected


def test_the_afternoon_is_the_afternoon(door: DicomServer, tmp_path: Path) -> None:
    found = ask(door, from_dump("wlistqry5", tmp_path), "FINDSCU")
    times = sorted(item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime for item in found)
    assert times == ["135558", "160700", "165709", "175609"]


def test_any_of_several_station_titles_matches(door: DicomServer, tmp_path: Path) -> None:
    query = from_dump("wlistqry5", tmp_path)
    step = query.ScheduledProcedureStepSequence[0]
    step.ScheduledProcedureStepStartTime, step.ScheduledStationAETitle = "", "AA33"
    assert len(ask(door, query, "FINDSCU")) == 1
    step.ScheduledStationAETitle = "AA32"
    assert len(ask(door, query, "FINDSCU")) == 2
