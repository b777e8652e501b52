"""A day in which every verb of the department that can change anything is used at least once.

`Watched` notes which verbs were called, so that a verb nobody replays here is a failing test, not a hole in the copy.
"""

from __future__ import annotations

import dataclasses
import inspect
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from core.archive.store import Archive
from core.imaging.imaging import Imaging
from core.index.tables import TransferRow
from core.model.birth import on_day
from core.model.commitment import CommitmentRequest, Named
from core.model.device import Destination, Device, HisSender
from core.model.his import (
    AdtFeed,
    AdtKind,
    Applied,
    HisMessage,
    InboxState,
    OrderAct,
    OrderedStep,
    OrderFeed,
    PatientFeed,
)
from core.model.identifiers import Identifier
from core.model.order import Exam, OrderDraft, Room, Urgency
from core.model.outgoing import Tally
from core.model.patient import Demographics
from core.model.people import Actor, Role, User
from core.model.performed import MppsFacts
from core.model.pledge import Answer
from core.model.printing import PaperKind, Printer
from core.model.received import Reason
from core.model.rejection import Title
from core.model.report import ReportText
from core.model.routing import Route, Transfer
from core.model.why import Relax
from core.services import Services
from core.services.acquisition import DoseEntry
from core.services.compression import LATER_S, Compression
from core.services.startup import arrival_of
from tests.people.hospital import (
    ADMIN,
    CLINICIAN,
    HIS,
    IDENTITY,
    PIN,
    RADIOLOGIST,
    RECEPTION,
    RESIDENT,
    TECHNOLOGIST,
    add_destination,
)
from tests.people.images import CT_IMAGE, STRANGER, arrival, read_header, slice_of

LEAD = Actor("cadre1", frozenset({Role.LEAD_TECHNOLOGIST}), origin="test")
TEXT = ReportText(findings="Pas d'hémorragie.", conclusion="Scanner normal.")

READING = {
    "audit": {"verify"},
    "contacts": {"of"},
    "export": {"begin", "proceed"},
    "commitments": {"due", "verdict"},
    "pledges": {"due", "lines"},
    "devices": {"all", "attempts", "by_ae", "by_caller", "destinations", "forget", "senders"},
    "his": {"messages", "senders"},
    "ingest": {"check_room", "quarantine"},
    "orders": {"catalogue", "find_exams", "rooms", "slots", "warnings"},
    "outbox": {"destinations", "due", "facts", "letters"},
    "patients": {"by_number", "exams", "get", "propose", "search"},
    "people": {"holder", "idle_limit", "session", "users"},
    "printing": {"default_printer", "document", "head", "job", "jobs", "on_work", "printers", "withdrawn"},
    "reconciliation": {"unmatched"},
    "retrieval": {"dresser", "find", "of_study"},
    "routing": {"due", "objects", "routes", "transfers"},
    "reports": {"current", "desk", "reading_list", "signer_view", "templates", "version", "versions"},
    "rejections": {"lines", "repeat_rate"},
    "retrying": {"waiting"},
    "tasks": {"waiting"},
    "scheduling": {"day_page", "history", "line", "worklist"},
    "why": {"ask", "contacts"},
}
"""Verbs that change nothing."""

ONLY_READING = {"events", "fetching", "retrieval", "standing", "studies"}
"""Services that change nothing but the audit."""


@dataclasses.dataclass(frozen=True)
class Said:
    sentence: str


class Watched:
    """A service that notes which of its verbs are called."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._service, name)


def watched(services: Services) -> Services:
    kept = ("kit", "ports")
    names = [f.name for f in dataclasses.fields(services) if f.name not in kept]
    return dataclasses.replace(services, **{name: Watched(getattr(services, name)) for name in names})


def never_called(services: Services) -> set[str]:
    """Verbs of watched services that were not called and are not known to change nothing."""
    missing = set()
    for name, service in ((f.name, getattr(services, f.name)) for f in dataclasses.fields(services)):
        if isinstance(service, Watched) and name not in ONLY_READING:
            known = service.called | READING.get(name, set())
            missing |= {f"{name}.{verb}" for verb in _verbs(service._service) if verb not in known}
    return missing


def _verbs(service: Any) -> list[str]:
    found = inspect.getmembers(type(service), inspect.isfunction)
    return [name for name, _function in found if not name.startswith("_")]


def everything(services: Services) -> None:
    """Every verb, in an order that a hospital could live. The services need a press."""
    furniture(services)
    accounts(services)
    identities(services)
    first, second = orders(services)
    in_the_room(services, first, second)
    images(services, first)
    reading(services, first)
    the_his(services)
    letters(services)
    paper(services, first)
    smaller(services)
    for line in services.tasks.waiting(ADMIN):
        if not line.ends_by_itself:
            services.tasks.settle(ADMIN, line.id, "vu")
    services.ingest.settle(ADMIN, services.ingest.quarantine(ADMIN)[0].id, "image de test")
    set_aside(services)
    services.events.last_id()
    services.audit.rows(ADMIN)
    services.housekeeping.tidy()


def furniture(services: Services) -> None:
    add_destination(services, 1)
    services.devices.save_destination(ADMIN, Destination("AUTRE", "127.0.0.1", 2))
    services.devices.save_destination(ADMIN, Destination("AUTRE", "127.0.0.1", 3))
    services.devices.remove_destination(ADMIN, "AUTRE")
    services.devices.save_sender(ADMIN, HisSender("LABO", ("127.0.0.8",)))
    services.devices.remove_sender(ADMIN, "LABO")
    services.devices.save(ADMIN, Device("ARC1", "127.0.0.1", 0, modality="XA"))
    services.devices.save(ADMIN, Device("ARC1", "127.0.0.2", 0, modality="XA"))
    services.devices.probe(ADMIN, "ARC1")
    services.devices.seen("ARC1", "store")
    services.devices.remove(ADMIN, "ARC1")
    services.devices.attempt("dicom", "INCONNU", "127.0.0.9", "association-rejected")
    services.orders.save_room(ADMIN, Room("BL1", "Bloc", "XA", ()))
    services.orders.save_room(ADMIN, Room("BL1", "Bloc opératoire", "XA", ()))
    services.orders.remove_room(ADMIN, "BL1")
    services.orders.save_exam(ADMIN, Exam("ARC", "ARCEAU", "XA", (), 20))
    services.orders.save_exam(ADMIN, Exam("ARC", "ARCEAU AU BLOC", "XA", (), 25))
    services.orders.remove_exam(ADMIN, "ARC")


def accounts(services: Services) -> None:
    services.people.add_user(ADMIN, User("stagiaire", "Ali SOW", frozenset({Role.TYPIST})), "harmattan-2027", "2468")
    someone = services.people.login("stagiaire", "harmattan-2027", "test")
    services.people.confirm(someone, "2468")
    token = services.people.open_session(someone, "test")
    services.people.touch(token)
    services.people.close_session(token)
    services.people.set_secret(ADMIN, "stagiaire", pin="1357")
    services.people.remove_user(ADMIN, "stagiaire")


def identities(services: Services) -> None:
    prior = services.patients.register_unknown(RECEPTION, "F")
    survivor = services.patients.register(RECEPTION, Demographics("SAWADOGO", "Issa"), idempotency_key="form-1")
    services.patients.correct(IDENTITY, survivor.id, Demographics("SAWADOGO", "Issa Œdipe \u2265 \U0001f476"))
    services.patients.merge(IDENTITY, survivor.id, prior.id, "même enfant")
    services.patients.unmerge(IDENTITY, prior.id, "erreur")


def orders(services: Services) -> tuple[int, int]:
    """Two CT exams, planned and moved."""
    born = on_day(services.today() - timedelta(days=1600))
    child = services.patients.register(RECEPTION, Demographics("OUEDRAOGO", "Aicha", born, "F"), reason="test")
    at = services.clock.now() + timedelta(hours=1)
    placed = []
    for late in (0, 60):
        draft = OrderDraft(child.id, "TDM-CRANE", "Dr T", "trauma", Urgency.URGENT, "URG", idempotency_key=f"o{late}")
        step = services.orders.place(RECEPTION, draft).step_id
        services.orders.give_slot(RECEPTION, step, "SC1", at + timedelta(minutes=late))
        services.orders.move(RECEPTION, step, "SC1", at + timedelta(minutes=late + 120))
        placed.append(step)
    return placed[0], placed[1]


def in_the_room(services: Services, first: int, second: int) -> None:
    services.contacts.association("SCANNER1", "YELEN", "127.0.0.1", "opened")
    services.contacts.query("SCANNER1", "YELEN", "127.0.0.1", "answered")
    services.why.relax(ADMIN, services.scheduling.line(RECEPTION, first).accession_number, "SCANNER1", Relax.ASCII)
    for step in (first, second):
        services.scheduling.arrive(RECEPTION, step)
        services.scheduling.weigh(TECHNOLOGIST, step, 0.1 + 0.2 + 3)  # not a number of 15 digits
    services.scheduling.undo_arrival(RECEPTION, second, "autre enfant")
    services.scheduling.no_show(RECEPTION, second)
    services.scheduling.arrive(RECEPTION, second)
    services.scheduling.cancel(RECEPTION, second, "parti")
    services.scheduling.reactivate(LEAD, second, "revenu")
    services.scheduling.arrive(RECEPTION, second)
    services.acquisition.start(TECHNOLOGIST, second)
    services.acquisition.discontinue(TECHNOLOGIST, second, "agité")
    services.acquisition.verify(TECHNOLOGIST, second, "une coupe suffit")
    services.reports.close_without_report(RADIOLOGIST, second, "à refaire")
    facts = MppsFacts(
        "1.2.3.999",
        "SCANNER1",
        "127.0.0.1",
        "IN PROGRESS",
        scheduled=((_study_uid(services, first), "", "", ""),),
        started_at=services.clock.now(),
    )
    services.mpps.create(facts)
    done = dataclasses.replace(facts, status="COMPLETED", ended_at=services.clock.now(), announced=("1.7.0", "1.7.1"))
    services.mpps.set(done)


def _study_uid(services: Services, step: int) -> str:
    entries = services.kit.index.db.execute_sql(
        "SELECT p.study_instance_uid FROM step s JOIN requested_procedure p ON p.id = s.procedure_id WHERE s.id = ?",
        (step,),
    ).fetchall()
    return str(entries[0][0])


def images(services: Services, step: int) -> None:
    """Expected ones, some of nobody, one twice with other bytes, one found again, one attached and detached."""
    uid, number = _study_uid(services, step), services.scheduling.line(RECEPTION, step).patient_number
    for n in range(3):
        services.ingest.store(arrival(f"1.7.{n}", study=uid, patient_id=number, number=n))
    services.ingest.store(arrival("1.7.0", study=uid, patient_id=number, shade=9))
    services.ingest.store(arrival("1.9.0", study="1.9", patient_id="EXT-1", name="BARRY^Salif"))
    services.ingest.store(arrival("1.8.0", sender=STRANGER, study="1.8", patient_id="EXT-2", name="DIALLO^Awa"))
    found_again(services)
    child = services.scheduling.line(RECEPTION, step).patient_id
    stray, *_others = services.reconciliation.unmatched(TECHNOLOGIST)
    services.reconciliation.attach(TECHNOLOGIST, stray.id, step, "même enfant")
    services.reconciliation.detach(TECHNOLOGIST, stray.id, "essai")
    services.reconciliation.keep_as_prior(TECHNOLOGIST, stray.id, child, "fait ailleurs")
    services.reconciliation.detach(TECHNOLOGIST, stray.id, "essai")
    services.reconciliation.dismiss(TECHNOLOGIST, stray.id, "autre enfant")
    services.acquisition.settle(HIS)
    engagements(services)
    rejected(services)
    routed(services)


def set_aside(services: Services) -> None:
    """What a machine sent before it was declared comes in afterwards."""
    early = arrival("1.10.0", study="1.10", patient_id="EXT-6", name="KONE^Adama")
    services.ingest.store(dataclasses.replace(early, refusal=Reason.UNKNOWN_CALLER))
    [number] = services.retrying.waiting(ADMIN, early.sender.ae_title)[-1:]
    services.retrying.retry(ADMIN, number)


def routed(services: Services) -> None:
    """A new study is owed to an archive that is off, that then refuses some of it, that then takes the rest."""
    services.devices.save(ADMIN, Device("ARCHIVE1", "127.0.0.1", 104, "archive", ("127.0.0.1",)))
    services.routing.add(ADMIN, Route("ARCHIVE1", modality="CT"))
    services.ingest.store(arrival("1.5.0", study="1.5", patient_id="EXT-5", name="SAWADOGO^Ali"))
    services.routing.plan()
    services.kit.index.writer.do(
        lambda unit: TransferRow.update(state="QUEUED", upto=99, next_at=unit.now).where(TransferRow.id > 0).execute()
    )
    owed = services.routing.due()
    assert owed is not None
    services.routing.sending(owed)
    services.routing.resume()
    services.routing.unreachable(owed, "éteinte", 0)
    services.routing.refused(owed, 1, ["1.5.0"])
    services.routing.hidden(owed)
    pledged(services, owed)
    services.routing.stopped(owed)
    services.routing.done(owed, 1)
    for verb in (services.routing.retry, services.routing.abandon):
        services.kit.index.writer.do(lambda unit: TransferRow.update(state="DEAD").where(TransferRow.id > 0).execute())
        verb(ADMIN, owed.id)
    left = services.retrieval.of_study(owed.study_id)
    services.retrieval.sent(HIS, "ARCHIVE1", left, Tally(0, completed=len(left)), "ok", "")
    services.routing.remove(ADMIN, services.routing.routes()[0].id)


def pledged(services: Services, owed: Transfer) -> None:
    """The archive is asked to answer for what it took: it is off, then it is asked, then it lacks some."""
    archive = services.devices.by_ae("ARCHIVE1")
    assert archive is not None
    services.devices.save(ADMIN, dataclasses.replace(archive, pledges=True))
    services.routing.done(owed, 1)
    [pledge] = services.pledges.due()
    services.pledges.not_asked(pledge, "éteinte")
    services.pledges.asked(pledge)
    services.pledges.answered("ARCHIVE1", Answer(pledge.transaction_uid, ()))


def engagements(services: Services) -> None:
    """One machine hears that its images are safe; another cannot be told."""
    for transaction, machine in (("1.2.20.1", "SCANNER1"), ("1.2.20.2", "RADIO1")):
        asked = CommitmentRequest(
            transaction, machine, "127.0.0.1", (Named(CT_IMAGE, "1.7.0"), Named(CT_IMAGE, "1.7.1"))
        )
        services.commitments.request(asked)
    told, untold = services.commitments.due()
    assert services.commitments.judge(told)
    assert services.commitments.judge(untold)
    services.commitments.reported(services.commitments.verdict(told.id), told.id)
    services.commitments.not_taken(untold, "éteinte")


def rejected(services: Services) -> None:
    """Two images of nobody's exam are rejected here, and one of them is taken back."""
    stray = services.reconciliation.unmatched(TECHNOLOGIST)[0]
    series = services.studies.series(TECHNOLOGIST, stray.id)[0]
    [image] = services.studies.instances(TECHNOLOGIST, series.id)
    number = services.rejections.reject(TECHNOLOGIST, [image.key], Title.QUALITY, "flou")
    services.rejections.undo(LEAD, number, "lisible")
    services.rejections.reject(LEAD, [image.key], Title.SAFETY, "autre enfant")


def smaller(services: Services) -> None:
    """Images are compressed without loss; their originals stay beside them. The night and the rest are made short."""
    services.ingest.store(slice_of("1.5.0", study="1.5", patient_id="EXT-5", name="SAWADOGO^Ali"))
    with closing(Imaging()) as imaging, pytest.MonkeyPatch.context() as short:
        short.setattr("core.services.acquisition.STABLE", timedelta(seconds=-1))
        short.setattr("core.services.compression.REST", timedelta(seconds=-1))
        short.setattr(Compression, "_is_time", lambda self: True)
        short.setattr(services.compression._service, "_imaging", imaging)  # type: ignore[attr-defined]
        services.acquisition.settle(HIS)
        while services.compression.turn() < LATER_S:
            pass


def found_again(services: Services) -> None:
    """A file without a row, as a cut leaves one, gets its row."""
    archive: Archive = services.kit.archive
    stray = arrival("1.6.0", study="1.6", patient_id="EXT-3", name="TALL^Oumar")
    from core.services.ingest import _meta_of

    stored = archive.store(archive.folder_of("1.6", services.today()), [_meta_of(stray), stray.dataset])
    again, known = arrival_of(archive.absolute(stored.path), stored.path, read_header)
    services.ingest.adopt(again, known)


def reading(services: Services, step: int) -> None:
    services.acquisition.retake(TECHNOLOGIST, step, "flou")
    services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 310 mGy.cm"), 3)
    services.acquisition.verify(TECHNOLOGIST, step)
    services.reports.open(RESIDENT, step)
    services.reports.save_draft(RESIDENT, step, TEXT)
    services.reports.dictated(RESIDENT, step)
    services.reports.submit(RESIDENT, step, TEXT)
    services.reports.release_preliminary(RESIDENT, step, TEXT, PIN)
    services.reports.release_lock(RESIDENT, step)
    services.reports.open(RADIOLOGIST, step)
    study = services.studies.of_step(RADIOLOGIST, step)[0]
    series = services.studies.series(RADIOLOGIST, study.id)[0]
    late = services.studies.instances(RADIOLOGIST, series.id)[0]
    for quality in ("APERÇU", "COMPLET"):
        services.reports.viewed(RADIOLOGIST, series.id, quality, [(late.key, 1)])
    services.reports.acknowledge_late(RADIOLOGIST, step, late.key)
    view = services.reports.signer_view(RADIOLOGIST, step, TEXT)
    version = services.reports.sign(RADIOLOGIST, step, TEXT, PIN, view.shown_hash, "complet", "none", critical=True)
    services.reports.opened(CLINICIAN, version.id)
    services.reports.mark_read(CLINICIAN, version.id)
    services.reports.acknowledge_critical(CLINICIAN, step)
    services.reports.open_correction(RADIOLOGIST, step, "côté")
    services.reports.release_expired()


def the_his(services: Services) -> None:
    feed = PatientFeed(
        Identifier("H-77", "CHUP"), (Identifier("H-77", "CHUP"),), "KABORE", "Moussa", sex="M", ward="PED"
    )
    other = dataclasses.replace(feed, principal=Identifier("H-78", "CHUP"), identifiers=(Identifier("H-78", "CHUP"),))
    visit = dataclasses.replace(feed, visit_number="V1", patient_class="I", room="4", bed="B")
    for n, (kind, event, patients) in enumerate(
        (
            (AdtKind.ADMIT, "A01", (visit,)),
            (AdtKind.UPSERT, "A08", (dataclasses.replace(visit, given_names="Moussa Idrissa"),)),
            (AdtKind.UPSERT, "A28", (other,)),
            (AdtKind.DISCHARGE, "A03", (visit,)),
        )
    ):
        services.his.receive(HIS, _message(f"A{n}", f"ADT^{event}", services, adt=AdtFeed(event, kind, patients)))
    merge = AdtFeed("A40", AdtKind.MERGE, (feed,), ((Identifier("H-78", "CHUP"), feed),))
    services.his.receive(HIS, _message("A9", "ADT^A40", services, adt=merge))
    exam = (OrderedStep("RX-THORAX", "RX THORAX F", "DX"),)
    for n, (act, control, number) in enumerate(
        (
            (OrderAct.NEW, "NW", "P1"),
            (OrderAct.CHANGE, "XO", "P1"),
            (OrderAct.CANCEL, "CA", "P1"),
            (OrderAct.CANCEL, "CA", "P-before-its-order"),
            (OrderAct.NEW, "NW", "P-before-its-order"),
        )
    ):
        order = OrderFeed(act, control, number, "HIS", prescriber="Dr Z", indication="toux", weight_kg=12.4, steps=exam)
        message = _message(f"O{n}", "ORM^O01", services, patient=feed, orders=(order,))
        services.his.receive(HIS, message)
    unknown = OrderFeed(OrderAct.CANCEL, "CA", "", "HIS", filler_number="F-unknown")  # a line for reception
    services.his.receive(HIS, _message("O9", "ORM^O01", services, patient=feed, orders=(unknown,)))
    services.his.set_aside(HIS, _message("X1", "ADT^A08", services), Applied("AA", InboxState.QUARANTINED, "inconnu"))
    services.his.alert(HIS, "junk")


def _message(control_id: str, kind: str, services: Services, **said: Any) -> HisMessage:
    raw = f"MSH|^~\\&|{control_id}\r".encode("latin-1") + bytes(range(128, 256))
    now = services.clock.now()
    return HisMessage(raw, control_id, "SIH", "CHUP", control_id, kind, "", now, "127.0.0.1", "SIH", **said)


def letters(services: Services) -> None:
    """The two results that are waiting: one is answered, one dies, is replayed and given up."""
    now = services.clock.now() + timedelta(days=1)
    letter = services.outbox.due("SIH", now)
    assert letter is not None
    services.outbox.sending(letter, b"MSH|\x00\xff")
    services.outbox.resume()
    services.outbox.retry(letter, now, True, "AE")
    services.outbox.dead(letter, "AR")
    services.outbox.replay(ADMIN, letter.id, "réglé")
    services.outbox.dead(letter, "AR")
    services.outbox.abandon(ADMIN, letter.id, "doublon")
    following = services.outbox.due("SIH", now)
    if following is not None:
        services.outbox.accepted(following, "AA")


def paper(services: Services, step: int) -> None:
    """Print jobs belong to one building; the audit of every sheet does not."""
    printing = services.printing
    printing.save_printer(ADMIN, Printer("LASER2", "folder", "/nowhere"))
    printing.save_printer(ADMIN, Printer("LASER3", "folder", "/nowhere"))
    printing.remove_printer(ADMIN, "LASER3")
    printing.printer_is("LASER2", Said("prête"))
    job = printing.enqueue(RECEPTION, "LASER2", PaperKind.LABEL, "t", "p", b"%PDF", "application/pdf", step_id=step)
    job = printing.sending(job)
    printing.taken(job, 7)
    printing.printing(job, "")
    printing.waiting(job, "occupée", 1.0)
    printing.unknown(job, "coupure", True)
    printing.failed(job, "bourrage")
    printing.retry(RECEPTION, job.id)
    printing.done(job, "")
    printing.reprint(RECEPTION, job.id)
    other = printing.divert(RECEPTION, job.id, "LASER1")
    printing.cancel(RECEPTION, other.id)
    printing.cancelled(other, "")
    printing.told(other, "")
    services.paper.print_label(RECEPTION, step, "LASER2")
    services.paper.print_wristband(RECEPTION, step, "LASER2")
    services.paper.print_convocation(RECEPTION, step, "LASER2")
    (version, *_corrected) = services.reports.versions(RADIOLOGIST, step)
    services.paper.report_pdf(CLINICIAN, version.id)
    services.paper.print_report(CLINICIAN, version.id, "LASER2")
