"""Images on their way to another machine: which objects a retrieve names, in whose identity they leave, what was sent.

Hidden objects are never found: those in quarantine have no row here, studies under the overlay go only where a person
of the department looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from core.archive import coercion
from core.archive.outgoing import Body, Wardrobe
from core.errors import BadInput, NotFound, OutOfResources
from core.i18n import _
from core.imaging.imaging import Imaging
from core.index.patient_rows import current, patient_of
from core.index.tables import (
    ImagingServiceRequest,
    Instance,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    Series,
    Step,
    Study,
)
from core.index.writer import Unit
from core.model.birth import Precision
from core.model.charset import Encoder
from core.model.device import Device
from core.model.identifiers import Identifier
from core.model.outgoing import CurrentIdentity, Level, Outgoing, Tally, Wanted
from core.model.people import Actor
from core.model.study import Match
from core.services.kit import Kit

MOST_UIDS = 20_000
"""Of one retrieve: what one question to the index can hold."""


class Retrieval:
    """Verbs of whatever sends stored images: C-GET, C-MOVE, routing, « envoyer l'étude »."""

    def __init__(self, kit: Kit, imaging: Imaging | None) -> None:
        self._kit = kit
        self._imaging = imaging

    def find(self, wanted: Wanted) -> list[Outgoing]:
        """The objects that a retrieve names, in the order of their studies, series and numbers.

        Raises `BadInput` when the unique key of its level is missing, or names two patients.
        """
        _check(wanted)
        studies = {row.id: row for row in Study.select().where(_condition(wanted))}
        if wanted.level is Level.PATIENT and len({row.patient_id for row in studies.values()} - {None}) > 1:
            raise BadInput(_("Ce numéro est celui de plusieurs patients."), "PatientID")
        found: list[Outgoing] = []
        for study in sorted(studies.values(), key=lambda row: (row.study_date, row.id)):
            found += self._of_study(study, wanted)
        return found

    def of_study(self, study_id: int, above: int = 0, upto: int = 0) -> list[Outgoing]:
        """Every object of a study, or those of the rows after `above` and up to `upto`."""
        study = Study.get_or_none(Study.id == study_id)
        return self._of_study(study, Wanted(Level.STUDY), above, upto) if study is not None else []

    def _of_study(self, study: Any, wanted: Wanted, above: int = 0, upto: int = 0) -> list[Outgoing]:
        rows: Any = (
            Instance.select(Instance.sop_class_uid, Instance.sop_instance_uid, Instance.transfer_syntax, Instance.path)
            .join(Series, on=(Instance.series == Series.id))
            .where(Series.study == study.id)
            .order_by(Series.number, Series.id, Instance.number, Instance.id)
            .tuples()
        )
        if above:
            rows = rows.where(Instance.id > above)
        if upto:
            rows = rows.where(Instance.id <= upto)
        if wanted.series_uids:
            rows = rows.where(Series.series_instance_uid.in_(wanted.series_uids))
        if wanted.sop_uids:
            rows = rows.where(Instance.sop_instance_uid.in_(wanted.sop_uids))
        identity = identity_of(study)
        doubtful = study.match == str(Match.UNRECONCILED)
        data = f"{self._kit.archive.data}/"
        return [
            Outgoing(sop_class, sop_instance, syntax, data + path, study.id, study.patient_id, identity, doubtful)
            for sop_class, sop_instance, syntax, path in rows
        ]

    def dresser(self, receiver: Device | None = None) -> Dresser:
        """For one transfer to one machine."""
        asked = receiver.receives_charset if receiver is not None else ""
        wardrobe = Wardrobe(self._kit.clock.now, Encoder(asked) if asked else None)
        return Dresser(wardrobe, self._imaging, self._moved)

    def _moved(self, outgoing: Outgoing) -> Outgoing | None:
        """Where the object lies now, when its file has gone since: the archive makes files smaller at night."""
        here = (Instance.sop_instance_uid == outgoing.sop_instance_uid) & Instance.series.is_null(False)
        row: Any = Instance.get_or_none(here)
        path = str(self._kit.archive.absolute(row.path)) if row is not None else outgoing.path
        return replace(outgoing, path=path, transfer_syntax=row.transfer_syntax) if path != outgoing.path else None

    def sent(self, actor: Actor, to: str, objects: Sequence[Outgoing], tally: Tally, outcome: str, why: str) -> None:
        """The audit row of one transfer (DICOM Instances Transferred). Durable on return; else the transfer failed."""
        studies = sorted({each.study_id for each in objects})
        patients = {each.patient_id for each in objects}
        patient = next(iter(patients)) if len(patients) == 1 else None
        what = f"study:{studies[0]}" if len(studies) == 1 else f"studies:{len(studies)}"

        def act(unit: Unit) -> None:
            unit.audit(
                actor,
                "instances_transferred",
                what,
                patient,
                outcome=outcome,
                to=to,
                studies=studies[:100],
                sent=tally.completed + tally.warnings,
                failed=len(tally.failed),
                why=why,
            )

        self._kit.act(actor, "instances_transferred", act)


class Dresser:
    """Opens the objects of one transfer as they must leave. `close` is the caller's, for each body."""

    def __init__(
        self,
        wardrobe: Wardrobe,
        imaging: Imaging | None,
        moved: Callable[[Outgoing], Outgoing | None] = lambda _outgoing: None,
    ) -> None:
        self._wardrobe = wardrobe
        self._imaging = imaging
        self._moved = moved

    def body(self, outgoing: Outgoing, transfer_syntax: str) -> Body:
        """The data set in this transfer syntax: as it lies, or converted by the imaging worker.

        Raises `NotFound`, `BadMessage`, `NotDisplayable` (what cannot be decoded), `OutOfResources`.
        """
        try:
            return self._open(outgoing, transfer_syntax)
        except NotFound:
            elsewhere = self._moved(outgoing)
            if elsewhere is None:
                raise
            return self._open(elsewhere, transfer_syntax)

    def _open(self, outgoing: Outgoing, transfer_syntax: str) -> Body:
        if transfer_syntax == outgoing.transfer_syntax:
            return self._wardrobe.open(outgoing.path, outgoing.identity)
        if self._imaging is None:
            raise OutOfResources(_("Le rendu des images n'est pas démarré."))
        converted = self._imaging.converted(outgoing.path, transfer_syntax)
        return self._wardrobe.dressed(converted, transfer_syntax, outgoing.path, outgoing.identity)


def identity_of(study: Any) -> CurrentIdentity | None:
    """Who the child of a study is now; None while nobody knows (under the overlay)."""
    row = current(study.patient_id) if study.patient_id else None
    if row is None:
        return None
    patient = patient_of(row)
    who = patient.demographics
    merged = PatientIdentifier.select().join(Patient).where(Patient.merged_into == row.id)
    aliases = tuple(Identifier(i.value, i.authority, i.kind) for i in merged)
    own = next((i for i in patient.identifiers if i.value == patient.number), None)
    identity = CurrentIdentity(
        number=patient.number,
        issuer=own.authority if own else "",
        name=patient.dicom_name,
        birth_date=None if who.birth.precision is Precision.UNKNOWN else who.birth.dicom(),
        sex=who.sex,
        others=(*patient.identifiers, *aliases),
        provisional=patient.provisional,
        **_order_of(study),
    )
    said = {
        coercion.PATIENT_ID: study.sent_id,
        coercion.NAME: study.sent_name,
        coercion.BIRTH_DATE: study.sent_birth_date,
        coercion.SEX: study.sent_sex,
        coercion.ACCESSION: study.accession_number,
    }
    return replace(identity, as_sent=coercion.differences(said, identity) is None and not study.also_sent)


def _order_of(study: Any) -> dict[str, Any]:
    """The numbers of the order that a person or its identifiers gave this study."""
    if study.step_id is None or study.match != str(Match.MATCHED):
        return {}
    row: Any = (
        ImagingServiceRequest.select(
            ImagingServiceRequest.accession_number,
            ImagingServiceRequest.foreign_accession,
            RequestedProcedure.procedure_id,
            Step.scheduled_step_id.alias("step_id"),
        )
        .join(RequestedProcedure, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .join(Step, on=(Step.procedure == RequestedProcedure.id))
        .where(Step.id == study.step_id)
        .dicts()
        .first()
    )
    return dict(row) if row else {}


def _check(wanted: Wanted) -> None:
    keys: dict[Level, tuple[str, Iterable[str]]] = {
        Level.PATIENT: ("PatientID", (wanted.patient_id,) if wanted.patient_id else ()),
        Level.STUDY: ("StudyInstanceUID", wanted.study_uids),
        Level.SERIES: ("SeriesInstanceUID", wanted.series_uids),
        Level.IMAGE: ("SOPInstanceUID", wanted.sop_uids),
    }
    name, values = keys[wanted.level]
    if not any(values):
        raise BadInput(_("Clé absente : %s.") % name, name)
    if len(wanted.study_uids) + len(wanted.series_uids) + len(wanted.sop_uids) > MOST_UIDS:
        raise BadInput(_("Plus de %d identifiants.") % MOST_UIDS, name)


def _bearers(wanted: Wanted) -> set[int]:
    """The patients of a number, under whichever of their numbers; a merged one is its survivor."""
    rows: Any = PatientIdentifier.select(PatientIdentifier.patient).where(PatientIdentifier.value == wanted.patient_id)
    if wanted.issuer:
        rows = rows.where(PatientIdentifier.authority == wanted.issuer)
    return {row.id for (bearer,) in rows.tuples() if (row := current(bearer)) is not None}


def _condition(wanted: Wanted) -> Any:
    condition: Any = Study.instances > 0
    if not wanted.doubtful:
        condition &= Study.match != str(Match.UNRECONCILED)
    if wanted.study_uids:
        condition &= Study.study_instance_uid.in_(wanted.study_uids)
    if wanted.patient_id:
        unknown = Study.patient.is_null() & (Study.number == wanted.patient_id)
        condition &= Study.patient.in_(list(_bearers(wanted))) | unknown
    if wanted.series_uids:
        condition &= Study.id.in_(Series.select(Series.study).where(Series.series_instance_uid.in_(wanted.series_uids)))
    if wanted.sop_uids:
        series = (
            Series.select(Series.study)
            .join(Instance, on=(Instance.series == Series.id))
            .where(Instance.sop_instance_uid.in_(wanted.sop_uids))
        )
        condition &= Study.id.in_(series)
    return condition
