"""Rejected images: hidden everywhere, files kept, what comes again by the title of the note, undone by a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import SetClock
from core.dicom import rejection_note
from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.index.tables import Audit, Instance, Journal, Quarantine, Series, Step, Study, Task
from core.model.commitment import CommitmentRequest, Doubt, Named
from core.model.people import Actor, Role
from core.model.received import Arrival, Reason, Sender, Stored, StoreOutcome
from core.model.rejection import KEY_OBJECT_SELECTION, NoteDraft, RejectedImage, Title
from core.services import Ports, Services
from core.services.acquisition import DoseEntry
from tests.people.hospital import ADMIN, IDENTITY, MORNING, RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import CT_IMAGE, EXPLICIT, SCANNER, STRANGER, arrival, read_header

LEAD = Actor("cadre1", frozenset({Role.LEAD_TECHNOLOGIST}), origin="test")
PORTS = Ports(read_header=read_header, read_note=rejection_note.read, write_note=rejection_note.write)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Two slices of a first series and one of a second."""
    with hospital(tmp_path, SetClock(MORNING), PORTS) as made:
        for number in (1, 2):
            made.ingest.store(arrival(f"1.2.3.{number}", number=number))
        made.ingest.store(arrival("1.2.3.3", series="1.2.3.9", number=3))
        yield made


def key(uid: str) -> str:
    return str(Instance.get(Instance.sop_instance_uid == uid).key)


def seen(services: Services, actor: Actor = TECHNOLOGIST) -> list[str]:
    """SOP Instance UIDs that this person comes upon through the patient's studies."""
    found = []
    for study in Study.select():
        for line in services.studies.of_step(actor, study.step_id):
            for series in services.studies.series(actor, line.id):
                found += [image.sop_instance_uid for image in services.studies.instances(actor, series.id)]
    return sorted(found)


def note(
    *uids: str, title: Title = Title.QUALITY, study: str = "1.2.3", uid: str = "1.2.99", sender: Sender = SCANNER
) -> Arrival:
    """A machine's rejection note at the door."""
    images = tuple(RejectedImage(study, f"{study}.1", CT_IMAGE, each) for each in uids)
    draft = NoteDraft(
        uid, "1.2.98", title, images, "", MORNING, "CDG0000001", "", "OUEDRAOGO^Aicha", "20220512", "F", study,
        "20261124", "083000", "", "", "",
    )  # fmt: skip
    content = rejection_note.write(draft)
    read = rejection_note.read(content, EXPLICIT) if sender.known else None
    return Arrival(sender, KEY_OBJECT_SELECTION, uid, EXPLICIT, content, read_header(content, EXPLICIT), rejects=read)


def resend(services: Services, uid: str) -> StoreOutcome:
    return services.ingest.store(arrival(uid, number=int(uid[-1])))


def test_a_rejected_image_is_hidden_and_its_file_stays(services: Services) -> None:
    number = services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "flou cinétique")
    assert seen(services) == ["1.2.3.2", "1.2.3.3"]
    study = Study.get()
    assert (study.instances, study.series) == (2, 2)
    assert services.status()["instances"] == 2
    with pytest.raises(NotFound):
        services.studies.instance(TECHNOLOGIST, key("1.2.3.1"))
    assert services.kit.archive.absolute(Instance.get(Instance.sop_instance_uid == "1.2.3.1").path).exists()
    [line] = services.rejections.lines(TECHNOLOGIST)
    assert (line.id, line.title, line.images, line.by, line.reason) == (
        number, Title.QUALITY, 1, TECHNOLOGIST.name, "flou cinétique",
    )  # fmt: skip
    [audit] = Audit.select().where(Audit.action == "reject", Audit.outcome == "ok")
    assert audit.actor == TECHNOLOGIST.name


def test_a_series_and_a_study_without_images_are_not_shown(services: Services) -> None:
    services.rejections.reject(TECHNOLOGIST, [key("1.2.3.3")], Title.QUALITY, "flou")
    study = Study.get()
    assert [s.series_instance_uid for s in services.studies.series(TECHNOLOGIST, study.id)] == ["1.2.3.1"]
    assert study.series == 1
    services.rejections.reject(
        TECHNOLOGIST, [key("1.2.3.1"), key("1.2.3.2")], Title.WRONG_WORKLIST_ENTRY, "autre enfant"
    )
    assert seen(services) == []
    assert services.studies.of_step(TECHNOLOGIST, study.step_id) == []
    assert services.reconciliation.unmatched(TECHNOLOGIST) == []
    study = Study.get()
    assert (study.series, study.instances, study.bytes, study.modalities) == (0, 0, 0, ())


def test_a_person_takes_it_back(services: Services) -> None:
    number = services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1"), key("1.2.3.3")], Title.QUALITY, "flou")
    with pytest.raises(NotAllowed):
        services.rejections.undo(RECEPTION, number, "à voir")
    with pytest.raises(BadInput):
        services.rejections.undo(LEAD, number, " ")
    services.rejections.undo(LEAD, number, "lisible tout de même")
    assert seen(services) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    study = Study.get()
    assert (study.series, study.instances, study.modalities) == (2, 3, ("CT",))
    [line] = services.rejections.lines(LEAD)
    assert line.undone_by == LEAD.name
    assert Audit.select().where(Audit.action == "unreject", Audit.outcome == "ok").count() == 1
    with pytest.raises(Conflict):
        services.rejections.undo(LEAD, number, "encore")


def test_an_image_of_two_notes_comes_back_with_the_last_one(services: Services) -> None:
    services.ingest.store(note("1.2.3.1", uid="1.2.90"))
    services.ingest.store(note("1.2.3.1", "1.2.3.2", uid="1.2.91", title=Title.WRONG_WORKLIST_ENTRY))
    second, first = services.rejections.lines(LEAD)
    services.rejections.undo(LEAD, second.id, "erreur")
    assert seen(services) == ["1.2.3.2", "1.2.3.3"]
    services.rejections.undo(LEAD, first.id, "erreur")
    assert seen(services) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]


@pytest.mark.parametrize(
    ("title", "what", "reason", "shown"),
    [
        (Title.QUALITY, Stored.DUPLICATE, None, False),
        (Title.SAFETY, Stored.QUARANTINED, Reason.REJECTED_AGAIN, False),
        (Title.WRONG_WORKLIST_ENTRY, Stored.QUARANTINED, Reason.REJECTED_AGAIN, False),
        (Title.RETENTION_EXPIRED, Stored.DUPLICATE, None, True),
    ],
)
def test_what_comes_again_follows_the_title(
    services: Services, title: Title, what: Stored, reason: Reason | None, shown: bool
) -> None:
    services.ingest.store(note("1.2.3.1", title=title))
    assert "1.2.3.1" not in seen(services)
    for _ in range(2):
        outcome = resend(services, "1.2.3.1")
        assert (outcome.what, outcome.reason) == (what, reason)
    assert ("1.2.3.1" in seen(services)) is shown
    assert Quarantine.select().count() == (reason is not None)
    assert Study.get().instances == (3 if shown else 2)


@pytest.mark.parametrize(
    ("title", "what", "shown"),
    [
        (Title.QUALITY, Stored.ARCHIVED, False),
        (Title.SAFETY, Stored.QUARANTINED, False),
        (Title.WRONG_WORKLIST_ENTRY, Stored.QUARANTINED, False),
        (Title.RETENTION_EXPIRED, Stored.ARCHIVED, True),
    ],
)
def test_a_note_may_come_before_its_image(services: Services, title: Title, what: Stored, shown: bool) -> None:
    services.ingest.store(note("1.2.3.8", title=title))
    assert resend(services, "1.2.3.8").what is what
    assert ("1.2.3.8" in seen(services)) is shown
    assert Study.get().instances == (4 if shown else 3)
    if what is Stored.ARCHIVED and not shown:
        services.rejections.undo(LEAD, services.rejections.lines(LEAD)[0].id, "erreur")
        assert "1.2.3.8" in seen(services)


def test_the_same_note_again_changes_nothing(services: Services) -> None:
    for what in (Stored.ARCHIVED, Stored.DUPLICATE):
        assert services.ingest.store(note("1.2.3.1")).what is what
    assert len(services.rejections.lines(LEAD)) == 1


def test_a_note_whose_effect_was_cut_off_takes_it_when_it_comes_again(services: Services) -> None:
    """Its file was found after a cut and got a row, as any file does."""
    whole = note("1.2.3.1")
    plain = Arrival(whole.sender, whole.sop_class_uid, whole.sop_instance_uid, EXPLICIT, whole.dataset, whole.header)
    services.ingest.store(plain)
    assert "1.2.3.1" in seen(services)
    services.ingest.store(whole)
    assert "1.2.3.1" not in seen(services)


def test_a_note_that_names_another_study_hides_nothing_of_it(services: Services) -> None:
    services.ingest.store(arrival("1.5.1", study="1.5", patient_id="CDG0000009", name="TALL^Oumar"))
    services.ingest.store(note("1.2.3.1", "1.5.1"))
    assert seen(services) == ["1.2.3.2", "1.2.3.3", "1.5.1"]
    assert Task.select().where(Task.kind == "rejection").count() == 1


def test_a_strangers_note_is_an_object_like_another(services: Services) -> None:
    services.ingest.store(note("1.2.3.1", sender=STRANGER))
    assert "1.2.3.1" in seen(services)
    assert services.rejections.lines(LEAD) == []


def test_the_note_itself_is_kept_hidden_and_goes_to_the_second_building(services: Services) -> None:
    services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "flou")
    [kept] = Instance.select().where(Instance.sop_class_uid == KEY_OBJECT_SELECTION)
    assert kept.series_id is None
    assert services.kit.archive.absolute(kept.path).exists()
    assert Series.select().where(Series.modality == "KO").count() == 0
    sent = {(row.tbl, row.path) for row in Journal.select()}
    assert ("instance", kept.path) in sent
    assert {"rejection", "rejected_instance"} <= {table for table, _path in sent}


def test_a_restart_and_a_new_index_of_the_files_bring_nothing_back(tmp_path: Path) -> None:
    with hospital(tmp_path, SetClock(MORNING), PORTS) as before:
        before.ingest.store(arrival("1.2.3.1"))
        before.ingest.store(arrival("1.2.3.2", number=2))
        before.ingest.store(note("1.2.3.1", title=Title.SAFETY))
    with hospital(tmp_path, SetClock(MORNING), PORTS) as after:
        after.recover()
        after.reindex()
        assert seen(after) == ["1.2.3.2"]
        assert Study.get().instances == 1


@pytest.mark.parametrize("title", list(Title))
def test_an_index_made_from_the_files_alone_shows_nothing_that_was_rejected(tmp_path: Path, title: Title) -> None:
    """The index is lost; notes and images are found in any order."""
    with hospital(tmp_path, SetClock(MORNING), PORTS) as before:
        for number in (1, 2):
            before.ingest.store(arrival(f"1.2.3.{number}", number=number))
        before.ingest.store(note("1.2.3.1", title=title))
    for lost in tmp_path.glob("index.sqlite*"):
        lost.unlink()
    with hospital(tmp_path, SetClock(MORNING), PORTS) as after:
        after.reindex()
        assert [line.title for line in after.rejections.lines(IDENTITY)] == [title]
        [study] = Study.select()
        assert study.instances == 1
        assert Instance.get(Instance.sop_instance_uid == "1.2.3.1").series_id is None
        assert Instance.get(Instance.sop_instance_uid == "1.2.3.2").series_id is not None


def test_rejections_for_safety_are_for_identitovigilance_alone(services: Services) -> None:
    with pytest.raises(NotAllowed):
        services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.SAFETY, "autre enfant")
    number = services.rejections.reject(LEAD, [key("1.2.3.1")], Title.SAFETY, "autre enfant")
    assert services.rejections.lines(LEAD) == []
    assert [line.id for line in services.rejections.lines(IDENTITY)] == [number]
    with pytest.raises(NotFound):
        services.rejections.undo(LEAD, number, "erreur")
    services.rejections.undo(IDENTITY, number, "erreur")
    assert "1.2.3.1" in seen(services)


def test_a_reason_and_an_image_are_asked_for(services: Services) -> None:
    with pytest.raises(BadInput):
        services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "")
    with pytest.raises(BadInput):
        services.rejections.reject(TECHNOLOGIST, [], Title.QUALITY, "flou")
    with pytest.raises(NotFound):
        services.rejections.reject(TECHNOLOGIST, ["0000"], Title.QUALITY, "flou")
    services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "flou")
    with pytest.raises(NotFound):
        services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "flou")


def test_nobody_answers_for_a_rejected_image(services: Services) -> None:
    services.ingest.store(note("1.2.3.1"))
    images = (Named(CT_IMAGE, "1.2.3.1"), Named(CT_IMAGE, "1.2.3.2"))
    services.commitments.request(CommitmentRequest("1.2.20", "SCANNER1", "127.0.0.1", images))
    [waiting] = services.commitments.due()
    assert services.commitments.judge(waiting)
    assert services.commitments.verdict(waiting.id).failed == ((images[0], Doubt.NO_SUCH_INSTANCE),)


def test_the_repeat_rate_counts_rejections_for_quality_and_retakes(services: Services) -> None:
    services.rejections.reject(TECHNOLOGIST, [key("1.2.3.1")], Title.QUALITY, "flou")
    services.rejections.reject(TECHNOLOGIST, [key("1.2.3.2")], Title.WRONG_WORKLIST_ENTRY, "autre enfant")
    step = Study.get().step_id
    services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 300 mGy.cm"))
    services.acquisition.retake(TECHNOLOGIST, step, "flou")
    today = services.today()
    [rate] = services.rejections.repeat_rate(ADMIN, today, today)
    assert (rate.modality, rate.images, rate.rejected, rate.retakes) == ("CT", 1, 1, 1)


def test_the_reader_is_told_when_images_of_a_report_are_rejected(services: Services) -> None:
    step = Study.get().step_id
    services.kit.index.writer.do(lambda _unit: Step.update(report_status="SIGNED").where(Step.id == step).execute())
    services.rejections.reject(LEAD, [key("1.2.3.1")], Title.QUALITY, "flou")
    [task] = Task.select().where(Task.kind == "rejected_after_report")
    assert (task.role, task.step_id) == (Role.RADIOLOGIST, step)
    assert RADIOLOGIST.is_any(Role(task.role))
    services.rejections.undo(LEAD, services.rejections.lines(LEAD)[0].id, "lisible")
    assert "late_images" in services.scheduling.line(RADIOLOGIST, step).flags
