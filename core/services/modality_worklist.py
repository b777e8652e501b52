"""The Modality Worklist: which steps a machine may see, by one list of predicates (PS3.4 K.6.1).

Rule: every condition is a `Predicate`; SQL only reads fewer rows. The question « why is it not there? » runs the same
list on one exam and reports each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from core.clock import moment
from core.index.patient_rows import bearers
from core.index.tables import (
    Device,
    ImagingServiceRequest,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    Room,
    Step,
    database,
)
from core.model.birth import Birth, Precision, age_at
from core.model.device import ae_key
from core.model.matching import Hours, Key, Like, Name, OneOf, is_pattern
from core.model.names import person_name
from core.model.order import Urgency, WorklistEntry
from core.model.query import WorklistQuery
from core.model.step import StepStatus
from core.model.why import Finding
from core.services.kit import Kit

STARTED_SHOWN = timedelta(hours=4)
SHOWN = (StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.STARTED, StepStatus.REQUESTED)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One condition. asked: the key as understood; value: what a row has for it; holds: whether the row passes."""

    finding: Finding
    asked: str
    value: Callable[[Row], str]
    holds: Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms by code, and the folded AE titles of each: those of its list and of the machines that stand in it."""

    by_code: Mapping[str, Any]
    titles: Mapping[str, frozenset[str]]

    @staticmethod
    def read() -> Rooms:
        rooms = {room.code: room for room in Room.select()}
        titles = {code: {ae_key(title) for title in room.ae_titles} for code, room in rooms.items()}
        machines: Any = Device.select(Device.key, Device.room).where(Device.active)
        for machine in machines:
            if machine.room in titles:
                titles[machine.room].add(machine.key)
        return Rooms(rooms, {code: frozenset(found) for code, found in titles.items()})

    def of(self, row: Row) -> frozenset[str]:
        return self.titles.get(row["room"]) or frozenset({ae_key(row["station_ae"])} - {""})


def find(kit: Kit, query: WorklistQuery) -> list[WorklistEntry]:
    """The steps that pass every predicate, by hour, at most `limit`. Rows come from the index alone."""
    rooms = Rooms.read()
    keep = predicates(kit, query, rooms)
    entries = []
    for row in rows(_window(kit, query) & _exact_keys(query)):
        if all(predicate.holds(row) for predicate in keep):
            entries.append(entry(kit, row, rooms))
            if len(entries) >= query.limit:
                break
    return entries


# The predicates


def predicates(kit: Kit, query: WorklistQuery, rooms: Rooms) -> list[Predicate]:
    """Every condition of a query, cheapest first."""
    return [
        _state(kit.now(), rooms),
        _dates(kit, query),
        _station(query, rooms),
        *_modality(query),
        *_hours(kit, query),
        *_name(query),
        *_texts(query),
        *_others(kit, query, rooms),
    ]


def _state(now: datetime, rooms: Rooms) -> Predicate:
    return Predicate(
        Finding.STATE,
        "",
        lambda row: str(row["status"]),
        lambda row: _visible(now, row, rooms.by_code.get(row["room"])),
    )


def _visible(now: datetime, row: Row, room: Any | None) -> bool:
    """Planned, arrived, or started less than 4 h ago; asked for only in a room without appointments."""
    status = row["status"]
    if row["scheduled_at"] is None or status not in SHOWN:
        return False
    if status == StepStatus.REQUESTED:
        return bool(room and room.without_appointment) and row["vetting"] != "WAITING"
    if status == StepStatus.SCHEDULED:
        return not room or room.visible_from != "arrived"
    if status == StepStatus.STARTED:
        return row["started_at"] is None or now - row["started_at"] <= STARTED_SHOWN
    return True


def _days(kit: Kit, query: WorklistQuery) -> int:
    return query.device.worklist_window_days if query.device else kit.config.scheduling.worklist_window_days


def _dates(kit: Kit, query: WorklistQuery) -> Predicate:
    """The dates asked for, else a few days around today: a machine without a date key would get years."""
    low, high = query.scheduled_from, query.scheduled_to
    if low is None and high is None:
        days, today = timedelta(days=_days(kit, query)), kit.today()
        first, last = today - days, today + days
        return Predicate(
            Finding.WINDOW, f"{first:%d/%m/%Y} - {last:%d/%m/%Y}", _day, lambda row: first <= row["day"] <= last
        )
    asked = " - ".join(f"{kit.local(end):%d/%m/%Y %H:%M}" if end else "…" for end in (low, high))
    return Predicate(
        Finding.DATE,
        asked,
        lambda row: f"{kit.local(row['scheduled_at']):%d/%m/%Y %H:%M}" if row["scheduled_at"] else "",
        lambda row: (
            row["scheduled_at"] is not None
            and (low is None or low <= row["scheduled_at"])
            and (high is None or row["scheduled_at"] <= high)
        ),
    )


def _day(row: Row) -> str:
    return f"{row['day']:%d/%m/%Y}"


def _station(query: WorklistQuery, rooms: Rooms) -> Predicate:
    """The AE rule: the room that owns the asked station, else the caller's own room, else « all rooms »."""
    device = query.device
    if query.station_ae.strip("* "):
        asked = frozenset(ae_key(title) for title in query.station_ae.split("\\"))
        return Predicate(Finding.STATION, query.station_ae, _room, lambda row: not asked.isdisjoint(rooms.of(row)))
    if device is None or device.all_rooms:
        return Predicate(Finding.ROOM, "", _room, lambda _row: True)
    own = ae_key(query.calling_ae)
    return Predicate(
        Finding.ROOM,
        device.room,
        _room,
        lambda row: own in rooms.of(row) or (bool(device.room) and row["room"] == device.room),
    )


def _room(row: Row) -> str:
    return str(row["room"])


def _modality(query: WorklistQuery) -> list[Predicate]:
    if not query.modality.strip("* "):
        return []
    wanted = {part.strip().upper() for part in query.modality.split("\\")}
    if query.device and query.device.cr_is_dx and wanted & {"CR", "DX"}:
        wanted |= {"CR", "DX"}
    keys: list[Key] = [Like.of(part) if is_pattern(part) else OneOf(frozenset({part})) for part in wanted]
    return [
        Predicate(
            Finding.MODALITY,
            query.modality,
            lambda row: str(row["modality"]),
            lambda row: any(key.fits(row["modality"].upper()) for key in keys),
        )
    ]


def _hours(kit: Kit, query: WorklistQuery) -> list[Predicate]:
    """A time range without a date: each day's."""
    if not (query.daily_from or query.daily_to):
        return []
    key = Hours(query.daily_from, query.daily_to)

    def hour(row: Row) -> str:
        return f"{kit.local(row['scheduled_at']):%H%M%S}" if row["scheduled_at"] else ""

    return [Predicate(Finding.HOURS, f"{query.daily_from} - {query.daily_to}", hour, lambda row: key.fits(hour(row)))]


def _name(query: WorklistQuery) -> list[Predicate]:
    if not query.patient_name.strip("*^= "):
        return []
    key = Name.of(query.patient_name)

    def name(row: Row) -> str:
        return person_name(row["family_name"], row["given_names"])

    return [Predicate(Finding.NAME, query.patient_name, name, lambda row: key.fits(name(row)))]


_TEXTS = {
    "accession_number": Finding.ACCESSION,
    "requested_procedure_id": Finding.PROCEDURE,
    "scheduled_step_id": Finding.STEP,
    "study_instance_uid": Finding.STUDY,
}


def _texts(query: WorklistQuery) -> list[Predicate]:
    found = [
        _text(finding, column, text)
        for column, finding in _TEXTS.items()
        if (text := getattr(query, column).strip()).strip("*")
        and not (finding is Finding.STUDY and is_pattern(text))  # a wildcard has no meaning in a UID
    ]
    number = query.patient_id.strip()
    if not number.strip("*"):
        return found
    plain = _text(Finding.NUMBER, "patient_number", number)
    # An old number, or another hospital's, finds whoever bears it now.
    ids = frozenset() if is_pattern(number) else frozenset(p.id for p in bearers(number))
    either = Predicate(plain.finding, number, plain.value, lambda row: plain.holds(row) or row["patient_id"] in ids)
    return [*found, either]


def _text(finding: Finding, column: str, text: str) -> Predicate:
    if column == "study_instance_uid":
        key: Key = OneOf(frozenset(text.split("\\")))
    else:
        key = Like.of(text) if is_pattern(text) else OneOf(frozenset({text}))
    return Predicate(finding, text, lambda row: str(row[column]), lambda row: key.fits(row[column]))


def _others(kit: Kit, query: WorklistQuery, rooms: Rooms) -> list[Predicate]:
    """Optional keys, matched on what would be answered."""

    def made(attribute: str, text: str, key: Key) -> Predicate:
        def value(row: Row) -> str:
            return str(getattr(entry(kit, row, rooms), attribute)) if row["scheduled_at"] else ""

        return Predicate(Finding.OTHER, text, value, lambda row: key.fits(value(row)))

    return [made(attribute, text, key) for attribute, text, key in query.others]


# Rows


def _window(kit: Kit, query: WorklistQuery) -> Any:
    condition: Any = Step.status.in_([str(s) for s in SHOWN]) & Step.scheduled_at.is_null(False)
    low, high = query.scheduled_from, query.scheduled_to
    if low is None and high is None:
        days, today = timedelta(days=_days(kit, query)), kit.today()
        return condition & Step.day.between(today - days, today + days)
    if low is not None:
        condition &= (Step.day >= kit.day_of(low)) & (Step.scheduled_at >= low)
    if high is not None:
        condition &= (Step.day <= kit.day_of(high)) & (Step.scheduled_at <= high)
    return condition


def _exact_keys(query: WorklistQuery) -> Any:
    """Keys without wildcard, so that SQL reads few rows."""
    condition: Any = Step.id > 0
    if query.modality and not is_pattern(query.modality) and not (query.device and query.device.cr_is_dx):
        condition &= Step.modality.in_([m.strip().upper() for m in query.modality.split("\\")])
    for key, column in (
        (query.accession_number, ImagingServiceRequest.accession_number),
        (query.scheduled_step_id, Step.scheduled_step_id),
    ):
        if key and not is_pattern(key):
            condition &= column == key.strip()
    if query.study_instance_uid and not is_pattern(query.study_instance_uid):
        condition &= RequestedProcedure.study_instance_uid.in_(query.study_instance_uid.split("\\"))
    if query.patient_id and not is_pattern(query.patient_id):
        number = query.patient_id.strip()
        condition &= (Patient.number == number) | Step.patient.in_([p.id for p in bearers(number)])
    return condition


_STEP_COLUMNS = (
    *("id", "scheduled_step_id", "modality", "room", "station_ae", "scheduled_at", "started_at", "day"),
    *("status", "vetting", "exam_code", "exam_label", "weight_kg", "urgency", "ward", "protocol"),
)


def rows(condition: Any) -> list[dict[str, Any]]:
    """Steps with everything an item may carry, by hour."""
    issuer = (
        PatientIdentifier.select(PatientIdentifier.authority)
        .where(PatientIdentifier.patient == Patient.id, PatientIdentifier.value == Patient.number)
        .limit(1)
    )
    query = (
        Step.select(
            *(getattr(Step, name) for name in _STEP_COLUMNS),
            Patient.id.alias("patient_id"),
            Patient.number.alias("patient_number"),
            Patient.family_name,
            Patient.given_names,
            Patient.sex,
            Patient.birth_earliest,
            Patient.birth_latest,
            Patient.birth_precision,
            issuer.alias("issuer"),
            RequestedProcedure.procedure_id.alias("requested_procedure_id"),
            RequestedProcedure.study_instance_uid,
            ImagingServiceRequest.accession_number,
            ImagingServiceRequest.prescriber,
            ImagingServiceRequest.indication,
            ImagingServiceRequest.placer_number,
            ImagingServiceRequest.filler_number,
            ImagingServiceRequest.visit_number,
        )
        .join(Patient, on=(Step.patient == Patient.id))
        .switch(Step)
        .join(RequestedProcedure, on=(Step.procedure == RequestedProcedure.id))
        .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .where(condition)
        .order_by(Step.scheduled_at, Step.id)
    )
    return _read(query)


def _read(query: Any) -> list[dict[str, Any]]:
    """As `query.dicts()`, spelled for two thousand rows: only moments and days are not what SQLite holds."""
    sql, values = query.sql()
    found = database.connection().execute(sql, values)
    names = [column[0] for column in found.description]
    read = []
    for line in found:
        row = dict(zip(names, line, strict=True))
        for name in _MOMENTS:
            row[name] = moment(row[name]) if row[name] else None
        for name in _DAYS:
            row[name] = _day_of(row[name]) if row[name] else None
        read.append(row)
    return read


_MOMENTS, _DAYS = ("scheduled_at", "started_at"), ("day", "birth_earliest", "birth_latest")
_day_of = lru_cache(maxsize=1024)(date.fromisoformat)
_PRIORITIES = {str(urgency): urgency.dicom for urgency in Urgency}


@lru_cache(maxsize=4096)
def _born(earliest: date | None, latest: date | None, precision: str, day: date) -> tuple[str, str]:
    """Birth date and age as DICOM spells them: machines ask for the same children all day."""
    birth = Birth(earliest, latest, Precision(precision))
    age = age_at(birth, day)
    return birth.dicom(), age.dicom() if age else ""


def entry(kit: Kit, row: Row, rooms: Rooms) -> WorklistEntry:
    room = rooms.by_code.get(row["room"])
    birth_date, age = _born(row["birth_earliest"], row["birth_latest"], row["birth_precision"], row["day"])
    return WorklistEntry(
        step_id=row["id"],
        scheduled_step_id=row["scheduled_step_id"],
        requested_procedure_id=row["requested_procedure_id"],
        study_instance_uid=row["study_instance_uid"],
        accession_number=row["accession_number"],
        modality=row["modality"],
        room=row["room"],
        ae_titles=(tuple(room.ae_titles) if room else ()) or (row["station_ae"],),
        scheduled_at=row["scheduled_at"],
        status="SCHEDULED" if row["status"] == str(StepStatus.REQUESTED) else row["status"],
        exam_code=row["exam_code"],
        exam_label=row["exam_label"],
        patient_number=row["patient_number"],
        issuer=row["issuer"] or kit.config.site.authority,
        patient_name=person_name(row["family_name"], row["given_names"]),
        birth_date=birth_date,
        age=age,
        sex=row["sex"],
        weight_kg=row["weight_kg"],
        priority=_PRIORITIES[row["urgency"]],
        prescriber=row["prescriber"],
        ward=row["ward"],
        indication=row["indication"],
        protocol=row["protocol"],
        placer_number=row["placer_number"],
        filler_number=row["filler_number"] or row["accession_number"],
        visit_number=row["visit_number"],
    )
