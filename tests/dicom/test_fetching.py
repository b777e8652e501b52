"""Bringing studies in from another archive: Orthanc holds them, our own door receives them; others lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import config
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from core.archive.part10 import file_meta, read_file_meta
from core.clock import SetClock
from core.dicom.conformance import EXPLICIT_LE, STUDY_ROOT_FIND
from core.dicom.peer_archive import PeerArchives
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.errors import BadInput, BadMessage, NotAllowed
from core.index.tables import Counter, Instance, PatientIdentifier, Step, Study, Task
from core.index.tables import Fetch as FetchRow
from core.model.fetching import Fetch, FetchState
from core.model.study import Match
from tests.dicom.dataset import CT, ct
from tests.dicom.department import RECEPTION, Department
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.ports import free_port
from tests.skips import needs_orthanc

FIRST, LAST = date(2026, 1, 1), date(2026, 11, 30)


@pytest.fixture
def old_pacs(
    tmp_path: Path, department: Department, department_door: DicomServer, clock: SetClock
) -> Iterator[Orthanc]:
    """The archive of before, that knows us and that we know."""
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", clock), "YELEN")
    folder = tmp_path / "old"
    folder.mkdir()
    with orthanc(folder, "OLDPACS", department_door.address[1]) as made:
        department.machine("OLDPACS", role="archive", host="127.0.0.1", port=made.dicom, prefetch=True)
        yield made


def holds(old_pacs: Orthanc, study: str, *uids: str, **fields: object) -> None:
    for uid in uids:
        data_set = ct(sop_instance=uid, study=study, series=f"{study}.1", **fields)
        old_pacs.post("/instances", file_meta(CT, uid, EXPLICIT_LE, "OLD") + data_set)


def drain(department: Department) -> list[Fetch]:
    """What the thread does, until nothing is due."""
    fetching, done = department.services.fetching, []
    while (due := fetching.due()) is not None:
        done.append(fetching.fetch(due))
    return done


@needs_orthanc
def test_a_period_of_another_archive_comes_in_study_by_study(old_pacs: Orthanc, department: Department) -> None:
    holds(old_pacs, "1.2.10", "1.2.10.1.1", "1.2.10.1.2", patient_id="CDG-1", study_date="20260214")
    holds(old_pacs, "1.2.20", "1.2.20.1.1", patient_id="CDG-2", study_date="20261103")
    holds(old_pacs, "1.2.30", "1.2.30.1.1", patient_id="CDG-2", study_date="20190101")
    so_far = department.services.fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
    assert (so_far.queued, so_far.done) == (2, 0)
    assert [(f.state, f.held) for f in drain(department)] == [(FetchState.DONE, 2), (FetchState.DONE, 1)]
    assert {row.sop_instance_uid for row in Instance.select()} == {"1.2.10.1.1", "1.2.10.1.2", "1.2.20.1.1"}
    (line,) = department.services.fetching.progress(RECEPTION)
    assert (line.ae_title, line.queued, line.done, line.failed, line.images) == ("OLDPACS", 0, 2, 0, 3)


@needs_orthanc
def test_the_images_come_as_the_other_archive_holds_them(old_pacs: Orthanc, department: Department) -> None:
    data_set = ct(sop_instance="1.2.10.1.1", study="1.2.10", study_date="20260214")
    old_pacs.post("/instances", file_meta(CT, "1.2.10.1.1", EXPLICIT_LE, "OLD") + data_set)
    department.services.fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
    drain(department)
    kept = department.kit.archive.absolute(Instance.get().path).read_bytes()
    assert kept[read_file_meta(kept).dataset_offset :] == data_set


@needs_orthanc
def test_what_another_archive_holds_is_a_prior_and_no_exam_to_read(old_pacs: Orthanc, department: Department) -> None:
    holds(old_pacs, "1.2.10", "1.2.10.1.1", patient_id="CDG-1", study_date="20260214")
    department.services.fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
    drain(department)
    study = Study.get()
    assert study.match == str(Match.PRIOR)
    assert study.patient_id is not None
    assert Step.select().count() == 0


@needs_orthanc
def test_asked_again_a_migration_goes_on_where_it_was(old_pacs: Orthanc, department: Department) -> None:
    holds(old_pacs, "1.2.10", "1.2.10.1.1", study_date="20260214")
    fetching = department.services.fetching
    fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
    drain(department)
    assert fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST).queued == 0, "it is here"
    holds(old_pacs, "1.2.10", "1.2.10.1.2", study_date="20260214")
    assert fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST).queued == 1, "it has grown there"
    assert [f.held for f in drain(department)] == [2]


@needs_orthanc
def test_an_archive_that_does_not_answer_is_tried_again_then_told(
    tmp_path: Path, department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", clock), "YELEN")
    folder = tmp_path / "old"
    folder.mkdir()
    with orthanc(folder, "OLDPACS", department_door.address[1]) as made:
        department.machine("OLDPACS", role="archive", host="127.0.0.1", port=made.dicom)
        holds(made, "1.2.10", "1.2.10.1.1", study_date="20260214")
        department.services.fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
    fetching = department.services.fetching
    (first,) = drain(department)
    assert (first.state, first.attempts) == (FetchState.QUEUED, 1)
    assert "OLDPACS" in first.answer
    assert fetching.due() is None, "not at once"
    for _attempt in range(5):
        clock.advance(timedelta(hours=4).total_seconds())
        drain(department)
    (failed,) = fetching.failed(RECEPTION)
    assert failed.state is FetchState.FAILED
    assert any("1.2.10" in task.text for task in Task.select())
    with orthanc(folder, "OLDPACS", department_door.address[1]) as made:  # its disk is what it was
        department.machine("OLDPACS", role="archive", host="127.0.0.1", port=made.dicom)
        assert fetching.again(RECEPTION, "OLDPACS") == 1
        assert [f.state for f in drain(department)] == [FetchState.DONE]


@needs_orthanc
def test_an_archive_that_cannot_send_to_us_is_said_so(tmp_path: Path, department: Department, clock: SetClock) -> None:
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", clock), "YELEN")
    with orthanc(tmp_path, "OLDPACS", 1, DicomModalities={}) as made:
        department.machine("OLDPACS", role="archive", host="127.0.0.1", port=made.dicom)
        holds(made, "1.2.10", "1.2.10.1.1", study_date="20260214")
        department.services.fetching.migrate(RECEPTION, "OLDPACS", FIRST, LAST)
        (tried,) = drain(department)
    assert tried.state is FetchState.QUEUED
    assert "OLDPACS" in tried.answer
    assert FetchRow.get().attempts == 1


@needs_orthanc
def test_the_priors_of_a_child_come_when_an_exam_is_ordered(
    old_pacs: Orthanc, department: Department, clock: SetClock
) -> None:
    child = department.child("OUEDRAOGO", "Awa", "2019-05-04")
    number = PatientIdentifier.get(PatientIdentifier.patient == child).value
    holds(
        old_pacs,
        "1.2.10",
        "1.2.10.1.1",
        patient_id=number,
        name="OUEDRAOGO^Awa",
        birth="20190504",
        study_date="20240214",
    )
    holds(old_pacs, "1.2.20", "1.2.20.1.1", patient_id="CDG-OTHER", study_date="20240214")
    assert department.services.fetching.prefetch() == 0, "nothing was ordered"
    department.order(child, "TDMCER", "SCAN", clock.now() + timedelta(hours=1))
    assert department.services.fetching.prefetch() == 1
    assert department.services.fetching.prefetch() == 0, "each order is looked at once"
    drain(department)
    assert [(study.study_instance_uid, study.patient_id) for study in Study.select()] == [("1.2.10", child)]


@needs_orthanc
def test_an_archive_that_is_off_holds_up_no_other_and_passes_over_no_order(
    old_pacs: Orthanc, department: Department, clock: SetClock
) -> None:
    child = department.child("OUEDRAOGO", "Awa", "2019-05-04")
    number = PatientIdentifier.get(PatientIdentifier.patient == child).value
    holds(old_pacs, "1.2.10", "1.2.10.1.1", patient_id=number, name="OUEDRAOGO^Awa", birth="20190504")
    department.machine("AAAOFF", role="archive", host="127.0.0.1", port=free_port(), prefetch=True)
    department.order(child, "TDMCER", "SCAN", clock.now() + timedelta(hours=1))
    assert department.services.fetching.prefetch() == 1
    looks = {row.name: row.value for row in Counter.select() if row.name.startswith("fetch step")}
    assert list(looks) == ["fetch step oldpacs"], "the one that is off is asked again"


def test_a_machine_that_is_no_archive_and_a_period_that_ends_before_it_begins_are_refused(
    department: Department, clock: SetClock
) -> None:
    with pytest.raises(NotAllowed, match="archive"):
        department.services.fetching.migrate(RECEPTION, "CT1", FIRST, LAST)
    department.machine("OLDPACS", role="archive")
    with pytest.raises(BadInput, match="période"):
        department.services.fetching.migrate(RECEPTION, "OLDPACS", LAST, FIRST)


@contextmanager
def hostile(answers: list[Dataset]) -> Iterator[int]:
    """An archive that answers every question with these; its port."""
    entity = AE("OLDPACS")
    entity.add_supported_context(STUDY_ROOT_FIND)

    def find(event: Any) -> Iterator[tuple[int, Dataset]]:
        for answer in answers:
            yield 0xFF00, answer

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def answer(**fields: object) -> Dataset:
    made = Dataset()
    for keyword, value in fields.items():
        setattr(made, keyword, value)
    return made


def test_an_answer_that_names_no_study_is_passed_over(department: Department, clock: SetClock) -> None:
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", clock), "YELEN")
    with config.disable_value_validation():
        answers = [answer(StudyInstanceUID=uid) for uid in ("../../etc/passwd", "", "1.2.10", "1." * 40)]
        answers += [
            answer(PatientID="X"),
            answer(StudyInstanceUID="1.2.20", NumberOfStudyRelatedInstances="", StudyDate="x"),
        ]
        with hostile(answers) as port:
            department.machine("OLDPACS", role="archive", host="127.0.0.1", port=port)
            department.services.fetching.migrate(RECEPTION, "OLDPACS", date(2026, 11, 1), date(2026, 11, 2))
    assert {(row.study_instance_uid, row.study_date) for row in FetchRow.select()} == {("1.2.10", ""), ("1.2.20", "")}


def test_an_archive_that_answers_without_end_is_cut_off(department: Department, clock: SetClock) -> None:
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", clock), "YELEN", most_answers=50)
    with hostile([answer(StudyInstanceUID=f"1.2.{n}") for n in range(1, 200)]) as port:
        department.machine("OLDPACS", role="archive", host="127.0.0.1", port=port)
        with pytest.raises(BadMessage, match="plus de 50 études"):
            department.services.fetching.migrate(RECEPTION, "OLDPACS", date(2026, 11, 1), date(2026, 11, 2))
    assert FetchRow.select().count() == 0
