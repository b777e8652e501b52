"""The DICOM door as the box opens it: every service class wired to the verbs of the department."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from core.clock import Clock
from core.config.sections import Dicom
from core.dicom import conformance, dimse
from core.dicom.commitment import CommitmentDoor, Offers, Requests
from core.dicom.commitment_report import CommitmentReports, Commitments
from core.dicom.handlers import Routes
from core.dicom.limits import Limits
from core.dicom.mpps import MppsDoor, PerformedSteps
from core.dicom.negotiation import Caller
from core.dicom.pledge import Answers, PledgeDoor
from core.dicom.query import QueryDoor, Studies
from core.dicom.registry import Contacts, Devices, Registry, Visitors
from core.dicom.retrieve import Machines, Retrieval, RetrieveDoor
from core.dicom.secure import Secured
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.dicom.storage import Ingest, StorageDoor
from core.dicom.verification import Verification
from core.dicom.worklist import Diary, Scheduling, WorklistDoor
from core.model.device import Device


class DeviceVerbs(Devices, Machines, Protocol):
    """`core.services.devices`, as the whole door needs it."""

    def seen(self, ae_title: str, what: str) -> None: ...
    def by_ae(self, ae_title: str) -> Device | None: ...


class CommitmentVerbs(Requests, Commitments, Protocol):
    """`core.services.commitments`, as the whole door needs it."""


class ContactVerbs(Contacts, Diary, Protocol):
    """`core.services.contacts`, as the whole door needs it."""


class Department(Protocol):
    """The verbs of `core.services.Services` that the DICOM door asks for."""

    @property
    def devices(self) -> DeviceVerbs: ...
    @property
    def contacts(self) -> ContactVerbs: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def scheduling(self) -> Scheduling: ...
    @property
    def studies(self) -> Studies: ...
    @property
    def mpps(self) -> PerformedSteps: ...
    @property
    def commitments(self) -> CommitmentVerbs: ...
    @property
    def pledges(self) -> Answers: ...
    @property
    def retrieval(self) -> Retrieval: ...


def open_door(
    services: Department,
    settings: Dicom,
    zone: ZoneInfo,
    spool: Path,
    clock: Clock,
    leave: Callable[[], None] = lambda: None,
    limits: Limits | None = None,
    secured: Secured | None = None,
    reports: Offers | None = None,
) -> DicomServer:
    """A server that is not started yet. spool: an existing folder for objects too big for memory.

    leave: called at the end of each association's thread (it gives its index connection back).
    secured: then it is the server of `dicom.tls_port`.
    reports: who carries the answers to storage commitment requests; none: they wait for a start that has one.
    """
    return DicomServer(
        settings.ae_title,
        settings.host,
        settings.port if secured is None else settings.tls_port,
        Registry(services.devices, settings.unknown_callers),
        routes(services, settings.ae_title, zone, spool, clock, reports),
        clock,
        limits or Limits(max_pdu=settings.max_pdu, associations=settings.max_associations),
        Visitors(services.devices, clock, services.contacts),
        leave,
        secured,
    )


def open_reports(
    services: Department, settings: Dicom, clock: Clock, leave: Callable[[], None] = lambda: None
) -> CommitmentReports:
    """The carrier of commitment reports, not started yet. It stops after the door."""
    sender = DicomSender(settings.ae_title, clock)
    return CommitmentReports(services.commitments, services.devices, sender, settings.ae_title, clock, leave)


def routes(
    services: Department, title: str, zone: ZoneInfo, spool: Path, clock: Clock, reports: Offers | None = None
) -> Routes:
    """Which handler answers which operation of which class."""
    worklist = WorklistDoor(services.scheduling, services.devices, services.contacts, zone)
    studies = QueryDoor(services.studies, services.devices, title)
    steps = MppsDoor(services.mpps, zone)
    commitment = CommitmentDoor(services.commitments, reports)
    retrieve = RetrieveDoor(services.retrieval, services.devices, DicomSender(title, clock).store, title, clock)
    return Routes(
        offer,
        {
            (conformance.VERIFICATION, dimse.C_ECHO_RQ): Verification(services.devices).echo,
            (conformance.MODALITY_WORKLIST_FIND, dimse.C_FIND_RQ): worklist.find,
            (conformance.PATIENT_ROOT_FIND, dimse.C_FIND_RQ): studies.find,
            (conformance.STUDY_ROOT_FIND, dimse.C_FIND_RQ): studies.find,
            **{(uid, dimse.C_GET_RQ): retrieve.get for uid in conformance.GETS},
            **{(uid, dimse.C_MOVE_RQ): retrieve.move for uid in conformance.MOVES},
            (conformance.PERFORMED_PROCEDURE_STEP, dimse.N_CREATE_RQ): steps.create,
            (conformance.PERFORMED_PROCEDURE_STEP, dimse.N_SET_RQ): steps.set,
            (conformance.STORAGE_COMMITMENT, dimse.N_ACTION_RQ): commitment.action,
            (conformance.STORAGE_COMMITMENT, dimse.N_EVENT_REPORT_RQ): PledgeDoor(services.pledges).report,
        },
        StorageDoor(services.ingest, services.devices, spool),
    )


def offer(abstract_syntax: str, caller: Caller) -> tuple[str, ...]:
    """Transfer syntaxes for an abstract syntax, best first; none when this machine may not use the service."""
    if abstract_syntax == conformance.VERIFICATION:
        return conformance.MESSAGE_SYNTAXES
    if abstract_syntax in conformance.QUESTIONS:
        return conformance.MESSAGE_SYNTAXES if caller.may_query else ()
    if conformance.is_storage(abstract_syntax) and caller.may_store:
        return caller.syntaxes or conformance.STORAGE_SYNTAXES
    return ()
