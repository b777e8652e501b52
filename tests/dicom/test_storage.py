"""C-STORE into a real archive: what is durable, what is set aside, and what the sender is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dicom import conformance, dimse
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.server import DicomServer
from core.errors import Conflict
from core.index.tables import CallerAttempt, Instance, Quarantine, Study, Task
from core.model.device import identity_of
from core.model.study import Match
from core.services import ingest
from tests.dicom.dataset import CT, ct, ct_elements, dataset, nested
from tests.dicom.department import RECEPTION, Department
from tests.dicom.modality import Modality, associate_request, request_command
from tests.dicom.test_negotiation import identified

CONTEXTS = [(1, conformance.VERIFICATION, [IMPLICIT_LE]), (3, CT, [EXPLICIT_LE]), (5, CT, [IMPLICIT_LE])]


class Scanner(Modality):
    """CT1, sending objects."""

    def __init__(self, door: DicomServer, calling: bytes = b"CT1") -> None:
        super().__init__(door.address)
        self.associate(contexts=CONTEXTS, calling=calling)

    def store(self, data: bytes, uid: str = "1.2.3.4.5", context: int = 3, sop_class: str = CT) -> int | None:
        return self.ask(context, request_command(dimse.C_STORE_RQ, sop_class, 1, uid), data, 131_072)


def files(department: Department) -> list[Path]:
    return sorted((department.kit.archive.data / "archive").rglob("*.dcm"))


def test_an_object_is_archived_byte_for_byte_as_a_part_10_file(
    department: Department, department_door: DicomServer
) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        assert ct1.store(ct(IMPLICIT_LE, sop_instance="1.2.9"), "1.2.9", context=5) == 0
    first, second = sorted(files(department), key=lambda path: path.read_bytes().endswith(ct()), reverse=True)
    assert first.read_bytes()[:132] == bytes(128) + b"DICM"
    assert first.read_bytes().endswith(ct())
    assert second.read_bytes().endswith(ct(IMPLICIT_LE, sop_instance="1.2.9"))
    row = Instance.get(Instance.sop_instance_uid == "1.2.3.4.5")
    assert (row.transfer_syntax, row.calling_ae, row.address) == (EXPLICIT_LE, "CT1", "127.0.0.1")
    study = Study.get()
    assert (study.study_instance_uid, study.sent_name, study.instances) == ("1.2.3", "OUÉDRAOGO^Aïssata", 2)


def test_an_object_too_big_for_memory_is_archived_the_same(department: Department) -> None:
    door = department.door(in_memory=10_000)
    door.start()
    data = ct(pixels=bytes(range(256)) * 2000)
    with Scanner(door) as ct1:
        assert ct1.store(data) == 0
    door.stop()
    [path] = files(department)
    assert path.read_bytes().endswith(data)
    assert list((department.kit.archive.data / "spool").glob("*.spool")) == []


def test_the_same_object_twice_is_stored_once(department: Department, department_door: DicomServer) -> None:  # row 15
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        assert ct1.store(ct()) == 0
    assert len(files(department)) == 1


def test_the_same_object_again_heals_a_file_that_the_disk_has_altered(
    department: Department, department_door: DicomServer
) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        [damaged] = files(department)
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:-4] + b"\7\7\7\7")
        assert ct1.store(ct(pixels=b"\1" * 16)) == 0x0111
        assert Task.get(Task.kind == "damaged").done_at is None
        assert ct1.store(ct()) == 0
    [healed] = files(department)
    assert healed.read_bytes() == whole
    assert Task.get(Task.kind == "damaged").done_at is not None


def test_other_bytes_under_the_same_uid_are_a_conflict(
    department: Department, department_door: DicomServer
) -> None:  # row 16
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        for _ in range(3):
            assert ct1.store(ct(pixels=b"\1" * 16)) == 0x0111
        department.machine("CT1", room="SCAN", modality="CT", conflict_is_success=True)
        ct1.release()
    with Scanner(department_door) as ct1:
        assert ct1.store(ct(pixels=b"\1" * 16)) == 0
    [path] = files(department)
    assert path.read_bytes().endswith(ct())
    assert Quarantine.select().count() == 1


@pytest.mark.parametrize(
    ("data", "uid", "status", "reason"),
    [
        (ct(sop_instance="../../etc/passwd"), "../../etc/passwd", 0xC000, "uid-invalid"),  # row 12
        (ct(sop_instance="1." + "2" * 200), "1." + "2" * 200, 0xC000, "uid-invalid"),  # row 13
        (ct(), "1.2.3.99", 0xA900, "uid-mismatch"),  # row 14
        (ct(study=None), "1.2.3.4.5", 0xA900, "missing-uid"),  # row 30
        (dataset(ct_elements()[:3]) + nested(300), "1.2.3.4.5", 0xC000, "too-deep"),  # row 18
        (dataset(ct_elements(pixels=None)) + b"\x28\0\x80\2UT\0\0\xfe\xff\xff\xff0123456789", "1.2.3.4.5", 0xC000,
         "truncated"),  # row 20
        (ct(rows=("UL", 4)), "1.2.3.4.5", 0xC000, "bad-structure"),  # row 24
        (dataset([*ct_elements()[:-1], (0x0020000D, "UI", "1.9")]), "1.2.3.4.5", 0xA900, "bad-structure"),  # row 28
        (b"", "1.2.3.4.5", 0xA900, "missing-uid"),
        (b"garbage that is no data set", "1.2.3.4.5", 0xC000, "bad-structure"),
    ],
)  # fmt: skip
def test_what_cannot_be_archived_waits_in_quarantine(
    department: Department, department_door: DicomServer, data: bytes, uid: str, status: int, reason: str
) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(data, uid) == status
        assert ct1.store(ct(sop_instance="1.2.8"), "1.2.8") == 0  # the next good one is served
    [row] = Quarantine.select()
    assert row.reason == reason
    kept = department.kit.archive.absolute(row.path)
    assert kept.read_bytes().endswith(data)
    assert kept.is_relative_to(department.kit.archive.data / "quarantine")
    assert [line.reason for line in department.ingest.quarantine(RECEPTION)] == [reason]


def test_a_class_other_than_the_negotiated_one_is_a_mismatch(department_door: DicomServer) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct(), sop_class="1.2.840.10008.5.1.4.1.1.4") == 0xA900


@pytest.mark.parametrize("changes", [{"patient_id": None}, {"frames": "-5"}, {"rows": 0}, {"weight": "NaN"}])
def test_what_is_only_odd_is_archived(
    department: Department, department_door: DicomServer, changes: dict[str, object]
) -> None:  # rows 23, 26, 30
    with Scanner(department_door) as ct1:
        assert ct1.store(ct(**changes)) == 0
    assert len(files(department)) == 1
    assert Quarantine.select().count() == 0


def test_pixels_cut_short_are_archived_and_flagged(department_door: DicomServer) -> None:  # row 21
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()[:-4]) == 0
    assert Instance.get().incomplete


def test_another_patient_under_the_same_study_is_never_merged(department_door: DicomServer) -> None:  # row 17
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        assert ct1.store(ct(sop_instance="1.2.9", patient_id="OTHER"), "1.2.9") == 0
    assert {study.sent_id for study in Study.select()} == {"P-0042", "OTHER"}
    assert Study.get(Study.sent_id == "OTHER").match == str(Match.UNRECONCILED)


def test_a_stranger_is_rejected_and_seen_by_the_administrator(
    department: Department, department_door: DicomServer
) -> None:  # row 8
    for _ in range(3):
        with Modality(department_door.address) as stranger:
            stranger.send(associate_request(calling=b"EVIL"))
            assert stranger.pdu()[0] == 3
    department.index.writer.do(lambda unit: None)  # what was submitted before is committed now
    [attempt] = CallerAttempt.select()
    assert (attempt.ae_title, attempt.address, attempt.door) == ("EVIL", "127.0.0.1", "dicom")


def test_a_stranger_may_be_received_outside_the_archive_when_the_site_says_so(
    department: Department, tmp_path: Path
) -> None:
    from dataclasses import replace

    kit = department.kit
    department.kit = replace(
        kit, config=replace(kit.config, dicom=replace(kit.config.dicom, unknown_callers="quarantine"))
    )
    door = department.door()
    door.start()
    with Scanner(door, b"NEWCT") as stranger:
        assert stranger.store(ct()) == 0
    door.stop()
    assert files(department) == []
    [row] = Quarantine.select()
    assert row.reason == "unknown-caller"
    department.machine("NEWCT", room="SCAN", modality="CT")
    department.services.retrying.retry(RECEPTION, row.id)
    [image] = files(department)
    assert image.read_bytes().endswith(ct())
    assert department.ingest.quarantine(RECEPTION) == []


def test_a_film_printer_may_not_store(department: Department, department_door: DicomServer) -> None:
    department.machine("FILM", role="film")
    with Modality(department_door.address) as film:
        body = film.associate(contexts=CONTEXTS, calling=b"FILM")
    assert b"\x21\0\0\x1b\x03\0\x03" in body  # context 3: abstract syntax not supported


def test_objects_come_over_storage_contexts_alone(department_door: DicomServer) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct(), context=1, sop_class=conformance.VERIFICATION) == 0x0122
        assert ct1.store(ct()) == 0
    assert Quarantine.select().count() == 0


def test_a_full_disk_is_said_and_nothing_is_left(
    department: Department, department_door: DicomServer, monkeypatch: pytest.MonkeyPatch
) -> None:  # row 31
    archive = department.kit.archive
    with Scanner(department_door) as ct1:
        monkeypatch.setattr(type(archive), "free_percent", lambda self: 1.0)
        assert ct1.store(ct()) == 0xA700
        monkeypatch.undo()
        assert ct1.store(ct()) == 0
    assert len(files(department)) == 1


def test_a_conflict_of_the_house_asks_for_the_object_again(
    department: Department, department_door: DicomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0x0111 is said of other bytes under the same UID alone: a sender may drop its copy after it."""

    def refuse(*_: object) -> None:
        raise Conflict("un autre poste")

    with Scanner(department_door) as ct1:
        monkeypatch.setattr(ingest, "insert_image", refuse)
        assert ct1.store(ct()) == 0xA700
        assert files(department) == []
        monkeypatch.undo()
        assert ct1.store(ct()) == 0


def test_a_disk_that_fills_while_a_big_object_arrives_stops_it(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:  # row 5
    from core.dicom import storage

    monkeypatch.setattr(storage, "ROOM_EVERY", 100_000)
    door = department.door(in_memory=10_000)
    door.start()
    looks = iter([50.0, 50.0, 50.0])
    with Scanner(door) as ct1:
        monkeypatch.setattr(type(department.kit.archive), "free_percent", lambda self: next(looks, 1.0))
        assert ct1.store(ct(pixels=bytes(900_000))) == 0xA700
        monkeypatch.undo()
        assert ct1.store(ct()) == 0
    door.stop()
    assert list((department.kit.archive.data / "spool").glob("*.spool")) == []
    assert len(files(department)) == 1


def test_many_associations_store_at_once_and_nothing_is_lost(
    department: Department, department_door: DicomServer
) -> None:
    import threading

    statuses: list[int | None] = []

    def send(series: int) -> None:
        with Scanner(department_door) as ct1:
            for number in range(10):
                uid = f"1.2.{series}.{number}"
                statuses.append(ct1.store(ct(sop_instance=uid, series=f"1.2.{series}"), uid))

    threads = [threading.Thread(target=send, args=(series,)) for series in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 40
    assert Instance.select().count() == len(files(department)) == 40


def test_two_associations_with_one_uid_store_it_once(department: Department, department_door: DicomServer) -> None:
    with Scanner(department_door) as one, Scanner(department_door) as two:
        for scanner in (one, two):
            from core.dicom import upper_layer

            scanner.send(upper_layer.message(3, request_command(dimse.C_STORE_RQ, CT, 1, "1.2.3.4.5"), ct(), 0))
        assert [scanner.message()[0].status for scanner in (one, two)] == [0, 0]
    assert len(files(department)) == 1
    assert Instance.select().count() == 1


def test_another_name_later_in_the_study_is_received_and_doubted(
    department: Department, department_door: DicomServer
) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct()) == 0
        assert ct1.store(ct(sop_instance="1.2.9", name="ZONGO^Issa"), "1.2.9") == 0
    assert Instance.select().count() == 2
    study = Study.get()
    assert (study.match, study.also_sent[0].split("|")[0]) == (str(Match.UNRECONCILED), "ZONGO^Issa")


def test_a_machine_whose_row_asks_for_an_identity_must_give_it(
    department: Department, department_door: DicomServer
) -> None:
    department.machine("CT1", modality="CT", identity=identity_of(b"ct1", b"sesame-42"))
    for user in (b"", identified(b"ct1", b"other"), identified(b"ct1"), identified(b"ct", b"1sesame-42")):
        with Modality(department_door.address) as machine:
            machine.send(associate_request(contexts=CONTEXTS, user=user))
            assert machine.pdu() == (3, b"\0\1\1\3")
    with Modality(department_door.address) as machine:
        machine.associate(contexts=CONTEXTS, user=identified(b"ct1", b"sesame-42"))
        assert machine.echo() == 0
        machine.release()
    department.index.writer.do(lambda unit: None)
    assert {attempt.result for attempt in CallerAttempt.select()} >= {"association-rejected: IDENTITY"}


def test_an_identity_that_nobody_asked_for_is_ignored(department_door: DicomServer) -> None:
    with Modality(department_door.address) as machine:
        machine.associate(contexts=CONTEXTS, user=identified(b"anybody", b"anything"))
        assert machine.echo() == 0
        machine.release()
