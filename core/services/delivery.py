"""Delivery rows: one per report version and destination; the exam's delivery follows from the mandatory ones."""

from __future__ import annotations

from typing import Any

from core.index.rows import insert
from core.index.tables import Delivery, Destination, ImagingServiceRequest, Outbox, ReportVersion, RequestedProcedure
from core.index.writer import Unit
from core.model.people import Actor
from core.model.report import VersionState
from core.model.step import DeliveryEvent, DeliveryStatus
from core.services.kit import Kit, issue
from core.services.steps import advance, step_row

OPEN = ("QUEUED", "SENT", "REFUSED", "DEAD")
DONE = ("ACCEPTED", "READ", "HANDED")


def open_rows(unit: Unit, kit: Kit, step: Any, version: Any, preliminary: bool) -> None:
    """Queue a version for everyone who must have it; a signed one makes the exam's delivery pending (T15).

    `hl7` for each active destination, mandatory when the order came from a HIS; `kiosk` for the ordering ward,
    mandatory without a HIS; `hand` when there is neither.
    """
    request = _request_of(step)
    destinations = list(Destination.select().where(Destination.active))
    from_his = request is not None and request.source == "hl7"
    for destination in destinations:
        if preliminary and not destination.takes_preliminary:
            continue
        row = _row(unit, version, step, "hl7", destination.name, mandatory=from_his and not preliminary)
        _queue_oru(unit, step, version, destination.name, row)
    mandatory_ward = not (from_his and destinations) and not preliminary
    if step.ward:
        _row(unit, version, step, "kiosk", step.ward, mandatory=mandatory_ward)
    elif mandatory_ward:
        _row(unit, version, step, "hand", "", mandatory=True)
    if not preliminary:
        advance(unit, Actor.system("delivery"), step, DeliveryEvent.SIGNED, source_key=f"version {version.id}")


def close_rows(unit: Unit, version_id: int, state: str = "SUPERSEDED") -> None:
    """The open rows of a version that is replaced or withdrawn."""
    Delivery.update(state=state, at=unit.now).where(Delivery.version == version_id, Delivery.state.in_(OPEN)).execute()


def read_by(unit: Unit, actor: Actor, step: Any, version_id: int) -> bool:
    """A clinician of the ordering ward has opened the version."""
    row = Delivery.get_or_none(
        Delivery.version == version_id, Delivery.kind == "kiosk", Delivery.destination == actor.ward
    )
    if row is None or row.state != "QUEUED":
        return False
    settle_row(unit, actor, step, row, "READ")
    return True


def settle_row(unit: Unit, actor: Actor, step: Any, row: Any, state: str) -> None:
    """A destination answered; the exam's delivery follows."""
    Delivery.update(state=state, at=unit.now, who=actor.name).where(Delivery.id == row.id).execute()
    unit.audit(actor, f"delivery_{state.lower()}", f"report:{row.version_id}", step.patient_id, to=row.destination)
    version = ReportVersion.get_by_id(row.version_id)
    if version.type != "preliminary" and version.state == str(VersionState.SIGNED):
        _aggregate(unit, step, version)


def _aggregate(unit: Unit, step: Any, version: Any) -> None:
    states = [d.state for d in Delivery.select().where(Delivery.version == version.id, Delivery.mandatory)]
    system = Actor.system("delivery")
    current = DeliveryStatus(step.delivery_status)
    if states and all(s in DONE for s in states):
        if current in (DeliveryStatus.PENDING, DeliveryStatus.FAILED):
            advance(unit, system, step, DeliveryEvent.DELIVERED)
    elif "DEAD" in states and current is DeliveryStatus.PENDING:
        advance(unit, system, step, DeliveryEvent.FAILED)
    elif "DEAD" not in states and current is DeliveryStatus.FAILED:
        advance(unit, system, step, DeliveryEvent.REQUEUED)


def of_outbox(unit: Unit, actor: Actor, outbox_row: Any, state: str) -> None:
    """The delivery row behind an outbox row takes its state."""
    row = Delivery.get_or_none(
        Delivery.version == outbox_row.subject, Delivery.kind == "hl7", Delivery.destination == outbox_row.destination
    )
    if row is not None and row.state in OPEN:
        settle_row(unit, actor, step_row(row.step_id), row, state)


def _row(unit: Unit, version: Any, step: Any, kind: str, destination: str, mandatory: bool) -> Any:
    return insert(
        Delivery,
        version=version.id,
        step=step.id,
        kind=kind,
        destination=destination,
        mandatory=mandatory,
        state="QUEUED",
        at=unit.now,
    )


def _queue_oru(unit: Unit, step: Any, version: Any, destination: str, row: Any) -> None:
    insert(
        Outbox,
        kind="oru",
        destination=destination,
        lane=f"patient:{step.patient_id}",
        subject=version.id,
        control_id=f"YELEN{issue('control'):010d}",
        next_at=unit.now,
        created_at=unit.now,
    )
    unit.event("outbox", destination)


def _request_of(step: Any) -> Any | None:
    return (
        ImagingServiceRequest.select()
        .join(RequestedProcedure, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .where(RequestedProcedure.id == step.procedure_id)
        .first()
    )
