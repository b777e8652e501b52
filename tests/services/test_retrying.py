"""What was set aside comes in once what was missing is there; until then nothing changes, and a sentence says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.clock import SetClock
from core.dicom import rejection_note
from core.errors import Conflict, NotAllowed, NotFound, OutOfResources
from core.index.tables import Audit, Instance, Quarantine, Rejection, Study
from core.model.device import Device
from core.model.people import Actor, Role
from core.model.received import Arrival, Reason, Sender, Stored
from core.model.rejection import Title
from core.services import Ports, Services
from tests.people.hospital import ADMIN, IDENTITY, MORNING, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival, read_header
from tests.services.test_rejections import note

LEAD = Actor("cadre1", frozenset({Role.LEAD_TECHNOLOGIST}), origin="test")
PORTS = Ports(read_header=read_header, read_note=rejection_note.read, write_note=rejection_note.write)
NEW = Sender("SCANNER2", "127.0.0.7", False)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with hospital(tmp_path, SetClock(MORNING), PORTS) as made:
        yield made


def aside(services: Services, uid: str = "1.2.3.4", reason: Reason = Reason.UNKNOWN_CALLER, **facts: object) -> int:
    """An object that a machine nobody has declared sent; the number of its line."""
    sender = facts.pop("sender", NEW)
    assert isinstance(sender, Sender)
    return kept(services, replace(arrival(uid, sender, **facts), refusal=reason))


def kept(services: Services, refused: Arrival) -> int:
    assert services.ingest.store(refused).what is Stored.QUARANTINED
    return int(Quarantine.get(Quarantine.sop_instance_uid == refused.sop_instance_uid).id)


def declare(services: Services, **fields: object) -> None:
    services.devices.save(ADMIN, Device(**{"ae_title": "SCANNER2", "addresses": ("127.0.0.7",), **fields}))  # type: ignore[arg-type]


def state(services: Services) -> tuple[object, ...]:
    """Rows and files: what a refusal must leave as it was."""
    data = services.kit.archive.data
    files = sorted(str(path) for name in ("archive", "quarantine", "spool") for path in (data / name).rglob("*.*"))
    return list(Quarantine.select().tuples()), list(Instance.select().tuples()), Audit.select().count(), files


def test_what_an_undeclared_machine_sent_is_archived_once_the_machine_is_declared(services: Services) -> None:
    number = aside(services)
    declare(services)
    file = services.kit.archive.absolute(Quarantine.get_by_id(number).path)
    before = file.read_bytes()
    outcome = services.retrying.retry(TECHNOLOGIST, number)
    assert (outcome.what, outcome.unreconciled) == (Stored.ARCHIVED, False)
    image = Instance.get()
    assert (image.calling_ae, image.address, image.sop_instance_uid) == ("SCANNER2", "127.0.0.7", "1.2.3.4")
    assert services.kit.archive.absolute(image.path).read_bytes() == before == file.read_bytes()
    row = Quarantine.get_by_id(number)
    assert (row.settled_by, row.settled_how, row.settled_at) == ("manip1", "repris", services.clock.now())
    assert services.ingest.quarantine(TECHNOLOGIST) == []
    [told] = Audit.select().where(Audit.action == "retry_quarantine")
    assert (told.actor, told.outcome, "archived" in told.detail) == ("manip1", "ok", True)
    assert list((services.kit.archive.data / "spool").glob("*.spool")) == []
    with pytest.raises(Conflict, match="manip1"):
        services.retrying.retry(TECHNOLOGIST, number)


def test_until_the_machine_is_declared_nothing_changes_and_the_sentence_says_what_to_do(services: Services) -> None:
    number = aside(services)
    for unfit in ({"ae_title": "AUTRE"}, {"addresses": ("127.0.0.8",)}, {"active": False}):
        declare(services, **unfit)
        before = state(services)
        with pytest.raises(Conflict, match=r"Déclarer d'abord la machine SCANNER2 à l'adresse 127\.0\.0\.7"):
            services.retrying.retry(TECHNOLOGIST, number)
        assert state(services) == before
    declare(services, role="film")
    with pytest.raises(Conflict, match="pas pour envoyer des images"):
        services.retrying.retry(TECHNOLOGIST, number)


def test_a_machine_that_must_prove_who_it_is_proved_nothing_as_a_stranger(services: Services) -> None:
    number = aside(services)
    declare(services, tls=True)
    assert services.retrying.retry(TECHNOLOGIST, number).unreconciled
    assert "SCANNER2" in Study.get().why


def test_what_an_earlier_fault_refused_is_archived_when_the_object_is_sound(services: Services) -> None:
    number = aside(services, reason=Reason.BAD_STRUCTURE, sender=Sender("SCANNER1", "127.0.0.1", True))
    assert services.retrying.retry(IDENTITY, number).what is Stored.ARCHIVED
    stranger = aside(services, "1.2.3.5", Reason.TOO_DEEP, study="1.5", sender=Sender("IMPORT", "", False))
    assert services.retrying.retry(IDENTITY, stranger).unreconciled


def test_what_still_cannot_be_read_stays_and_is_asked_for_again(services: Services) -> None:
    good = arrival()
    cut = replace(good, dataset=bytes(good.dataset)[:90], header=None, refusal=Reason.TRUNCATED)
    number = kept(services, cut)
    before = state(services)
    with pytest.raises(Conflict, match="renvoi corrigé"):
        services.retrying.retry(TECHNOLOGIST, number)
    assert state(services) == before


def test_what_has_no_syntax_stays(services: Services) -> None:
    number = kept(services, replace(arrival(), transfer_syntax="", header=None, refusal=Reason.NO_META))
    with pytest.raises(Conflict, match="syntaxe de transfert"):
        services.retrying.retry(TECHNOLOGIST, number)


def test_an_image_that_came_meanwhile_is_known_and_the_line_is_settled(services: Services) -> None:
    number = aside(services)
    services.ingest.store(arrival())
    declare(services)
    assert services.retrying.retry(TECHNOLOGIST, number).what is Stored.DUPLICATE
    assert Instance.select().count() == 1
    assert Quarantine.get_by_id(number).settled_how == "repris"


def test_other_bytes_under_the_same_identifier_never_take_the_place(services: Services) -> None:
    services.ingest.store(arrival())
    number = aside(services, shade=1)
    declare(services)
    before = state(services)
    with pytest.raises(Conflict, match="une autre image sous le même identifiant"):
        services.retrying.retry(TECHNOLOGIST, number)
    assert state(services) == before


def test_a_rejected_image_waits_until_its_rejection_is_taken_back(services: Services) -> None:
    services.ingest.store(note("1.2.3.4", title=Title.WRONG_WORKLIST_ENTRY))
    number = kept(services, arrival())
    with pytest.raises(Conflict, match="lever d'abord son rejet"):
        services.retrying.retry(TECHNOLOGIST, number)
    assert Instance.select().where(Instance.sop_instance_uid == "1.2.3.4").count() == 0
    services.rejections.undo(LEAD, Rejection.get().id, "même enfant")
    assert services.retrying.retry(TECHNOLOGIST, number).what is Stored.ARCHIVED


def test_a_retry_brings_no_rejected_image_back(services: Services) -> None:
    """A machine that sends again an image whose keeping is over wants it back; a file from quarantine says nothing."""
    number = aside(services)
    services.ingest.store(arrival())
    services.rejections.reject(ADMIN, [Instance.get().key], Title.RETENTION_EXPIRED, "dix ans")
    declare(services)
    assert services.retrying.retry(TECHNOLOGIST, number).what is Stored.DUPLICATE
    assert Instance.get(Instance.sop_instance_uid == "1.2.3.4").series_id is None


def test_what_was_rejected_before_it_came_in_stays_hidden(services: Services) -> None:
    services.ingest.store(note("1.2.3.4", title=Title.RETENTION_EXPIRED))
    number = aside(services)
    declare(services)
    assert services.retrying.retry(TECHNOLOGIST, number).what is Stored.ARCHIVED
    assert Instance.get(Instance.sop_instance_uid == "1.2.3.4").series_id is None


def test_a_damaged_or_vanished_file_is_never_archived(services: Services) -> None:
    number = aside(services)
    declare(services)
    file = services.kit.archive.absolute(Quarantine.get_by_id(number).path)
    file.write_bytes(file.read_bytes()[:-1] + b"\7")
    before = state(services)
    for _ in range(2):
        with pytest.raises(Conflict, match="abîmé ou absent"):
            services.retrying.retry(TECHNOLOGIST, number)
        assert state(services)[:3] == before[:3]
        file.unlink(missing_ok=True)


def test_a_machines_rejection_note_takes_effect_once_it_is_declared(services: Services) -> None:
    services.ingest.store(arrival())
    number = kept(services, replace(note("1.2.3.4", sender=NEW), refusal=Reason.UNKNOWN_CALLER))
    assert Instance.get().series_id is not None
    declare(services)
    assert services.retrying.retry(TECHNOLOGIST, number).what is Stored.ARCHIVED
    assert Instance.get(Instance.sop_instance_uid == "1.2.3.4").series_id is None


def test_who_may_not_settle_may_not_retry(services: Services) -> None:
    number = aside(services)
    declare(services)
    with pytest.raises(NotAllowed):
        services.retrying.retry(RECEPTION, number)
    with pytest.raises(NotAllowed):
        services.retrying.waiting(RECEPTION, "SCANNER2")
    with pytest.raises(NotFound):
        services.retrying.retry(TECHNOLOGIST, number + 1)
    assert Quarantine.get_by_id(number).settled_at is None


def test_on_a_full_disk_the_line_waits(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    number = aside(services)
    declare(services)
    full = replace(services.config, storage=replace(services.config.storage, reserve_percent=100.1))  # type: ignore[arg-type]
    monkeypatch.setattr(services.ingest, "_kit", replace(services.kit, config=full))
    with pytest.raises(OutOfResources):
        services.retrying.retry(TECHNOLOGIST, number)
    assert Quarantine.get_by_id(number).settled_at is None


def test_the_lines_of_one_machine_are_found_the_oldest_first(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.retrying.AT_ONCE", 2)
    numbers = [aside(services, f"1.2.3.{n}") for n in range(3)]
    aside(services, "1.2.3.9", sender=Sender("AUTRE", "127.0.0.7", False))
    assert services.retrying.waiting(TECHNOLOGIST, " scanner2") == numbers[:2]
    assert services.retrying.waiting(TECHNOLOGIST, "SCANNER2", numbers[1]) == numbers[2:]
    services.ingest.settle(TECHNOLOGIST, numbers[0], "essai")
    assert services.retrying.waiting(TECHNOLOGIST, "SCANNER2") == numbers[1:]
