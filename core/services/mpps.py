"""Modality Performed Procedure Step (PS3.4 F.7): the machine says that it started, ended or stopped.

Every referenced step moves; the order of N-SET and C-STORE is free; a late message never moves a state backwards.
"""

from __future__ import annotations

import json
from typing import Any

from core.errors import NotFound
from core.i18n import _
from core.index.patient_rows import current, demographics_of
from core.index.rows import insert
from core.index.tables import PerformedStep, PerformedStepLink, RequestedProcedure, Step
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.performed import COMPLETED, DISCONTINUED, IN_PROGRESS, AlreadyFinal, AlreadyKnown, MppsFacts
from core.model.received import ReceivedHeader, Sender
from core.model.reconciliation import agrees, contradiction
from core.model.step import Flag, StepEvent, StepStatus
from core.model.study import Match
from core.services.image_rows import WAITING, done_though_canceled
from core.services.kit import Kit
from core.services.matching import disagreement, find_place
from core.services.naming import bearers_of_accession, named_step
from core.services.steps import advance, change, state_of, step_row
from core.services.tasks import ask

FINAL = (COMPLETED, DISCONTINUED)


class Mpps:
    """What modalities report; both verbs return once the row is committed."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def create(self, facts: MppsFacts) -> None:
        """N-CREATE. Raises `AlreadyKnown` when the SOP Instance UID is already known (0x0111)."""
        actor = _machine(facts)

        def act(unit: Unit) -> None:
            if PerformedStep.get_or_none(PerformedStep.sop_instance_uid == facts.sop_instance_uid):
                raise AlreadyKnown(_("Cette étape (MPPS) est déjà connue."))
            performed = insert(
                PerformedStep,
                sop_instance_uid=facts.sop_instance_uid,
                status=facts.status,
                calling_ae=facts.calling_ae,
                study_instance_uid=facts.scheduled[0][0] if facts.scheduled else "",
                started_at=facts.started_at,
                ended_at=facts.ended_at,
                reason=facts.reason,
                announced=facts.announced,
                dataset=facts.dataset,
                received_at=unit.now,
            )
            unit.audit(actor, "mpps_create", f"mpps:{facts.sop_instance_uid}", status=facts.status)
            for step in self._steps(unit, actor, facts):
                insert(PerformedStepLink, performed=performed.id, step=step.id)
                _move(unit, actor, step, facts)

        self._kit.index.writer.do(act)

    def set(self, facts: MppsFacts) -> None:
        """N-SET. Raises `NotFound` (0x0112), or `AlreadyFinal` (0x0110, Error ID 0xA710)."""
        actor = _machine(facts)

        def act(unit: Unit) -> None:
            performed = PerformedStep.get_or_none(PerformedStep.sop_instance_uid == facts.sop_instance_uid)
            if performed is None:
                raise NotFound(_("Cette étape (MPPS) est inconnue."))
            if performed.status in FINAL:
                raise AlreadyFinal(_("Cette étape (MPPS) est déjà terminée."))
            PerformedStep.update(
                status=facts.status or performed.status,
                ended_at=facts.ended_at or performed.ended_at,
                reason=facts.reason or performed.reason,
                announced=sorted({*performed.announced, *facts.announced}),
                dataset=_merged(performed.dataset, facts.dataset),
            ).where(PerformedStep.id == performed.id).execute()
            unit.audit(actor, "mpps_set", f"mpps:{facts.sop_instance_uid}", status=facts.status)
            for link in PerformedStepLink.select().where(PerformedStepLink.performed == performed.id):
                _move(unit, actor, step_row(link.step_id), facts)

        self._kit.index.writer.do(act)

    def _steps(self, unit: Unit, actor: Actor, facts: MppsFacts) -> list[Any]:
        """Every exam of its patient that the message names; one « hors demande » when it names none.

        An exam of another patient does not move: people are told.
        """
        found: dict[int, Any] = {}
        others: dict[int, Any] = {}
        for study_uid, accession, step_id, _procedure in facts.scheduled:
            header = _as_header(facts, study_uid, accession, step_id)
            by_id = Step.get_or_none(Step.scheduled_step_id == step_id) if step_id else None
            step, _proposed = named_step(self._kit, header, facts.calling_ae)
            named = {one.id: one for one in (by_id, step) if one is not None}
            theirs = next((step for step in named.values() if self._is_theirs(header, step)), None)
            if theirs is not None:
                found[theirs.id] = theirs
            else:
                others |= named or {one.id: one for one in bearers_of_accession(accession.strip())}
        for step in others.values():
            _tell_other_patient(unit, actor, step, facts)
        if found or others or not facts.known_device or not facts.patient_id:
            return list(found.values())
        study_uid = facts.scheduled[0][0] if facts.scheduled else ""
        if not study_uid:
            return []
        sender = Sender(facts.calling_ae, facts.address, facts.known_device)
        place = find_place(unit, self._kit, actor, _as_header(facts, study_uid, "", ""), sender)
        return [place.step] if place.match is Match.UNSCHEDULED and place.step is not None else []

    def _is_theirs(self, header: ReceivedHeader, step: Any) -> bool:
        """Whether the exam is one of the patient whom the machine names.

        A step id or an accession is typed or counted at a machine: alone it names nobody. Our Study UID does.
        """
        patient = current(step.patient_id)
        if header.patient_id:
            return not disagreement(self._kit, header, patient)
        known = demographics_of(patient)
        procedure = RequestedProcedure.get_by_id(step.procedure_id)
        if header.study_instance_uid == procedure.study_instance_uid:
            return not contradiction(header, known)
        return agrees(header, known)


def _tell_other_patient(unit: Unit, actor: Actor, step: Any, facts: MppsFacts) -> None:
    """Nothing moves; a technologist looks at what is really on the machine."""
    said = " ".join(word for word in (facts.patient_name.replace("^", " ").strip(), facts.patient_id) if word)
    text = _("%s annonce l'examen %s pour un autre patient (%s) : rien n'a bougé.") % (
        facts.calling_ae,
        step.scheduled_step_id,
        said or _("sans identité"),
    )
    ask(unit, "mpps_patient", Role.TECHNOLOGIST, text, step_id=step.id, patient_id=step.patient_id)
    unit.audit(actor, "mpps_other_patient", f"step:{step.id}", step.patient_id, mpps=facts.sop_instance_uid)
    unit.event("alarm", "mpps")


def _merged(kept: str, said: str) -> str:
    """What is known of the step after an N-SET: it replaces what it says, attribute by attribute, and nothing else.

    An attribute that it sends empty was not changed: machines fill in the type 2 attributes they do not know.
    """
    known: dict[str, dict[str, object]] = json.loads(kept)
    news: dict[str, dict[str, object]] = json.loads(said)
    for tag, value in news.items():
        if tag not in known or value.get("Value") or "InlineBinary" in value:
            known[tag] = value
    return json.dumps(dict(sorted(known.items())), ensure_ascii=False)


def _machine(facts: MppsFacts) -> Actor:
    return Actor.system("dicom", origin=f"dicom {facts.calling_ae}@{facts.address}")


def _as_header(facts: MppsFacts, study_uid: str, accession: str, step_id: str) -> ReceivedHeader:
    return ReceivedHeader(
        sop_class_uid="",
        sop_instance_uid=facts.sop_instance_uid,
        study_instance_uid=study_uid,
        series_instance_uid="",
        patient_id=facts.patient_id,
        issuer_of_patient_id=facts.issuer_of_patient_id,
        patient_name=facts.patient_name,
        patient_birth_date=facts.patient_birth_date,
        patient_sex=facts.patient_sex,
        accession_number=accession,
        step_id=step_id,
        modality=facts.modality,
        study_description=facts.description,
    )


def _move(unit: Unit, actor: Actor, step: Any, facts: MppsFacts) -> None:
    """What the reported status does to one exam: forward, or nothing."""
    key = f"{facts.sop_instance_uid} {facts.status}"
    if step.status in WAITING and facts.status in (IN_PROGRESS, *FINAL):
        started = facts.started_at or unit.now
        advance(unit, actor, step, StepEvent.ACQUISITION_STARTED, source_key=key, started_at=started)
    elif step.status == str(StepStatus.CANCELED) and str(Flag.UNSCHEDULED) not in step.flags:
        done_though_canceled(unit, step)
    _note_announced(unit, step, facts)
    if facts.status not in FINAL or step.status != str(StepStatus.STARTED):
        return
    event = StepEvent.ACQUISITION_ENDED if facts.status == COMPLETED else StepEvent.ACQUISITION_DISCONTINUED
    if state_of(step).allows(event):
        reason = facts.reason or (_("interrompu sur la machine") if facts.status == DISCONTINUED else "")
        advance(unit, actor, step, event, reason=reason, source_key=key, ended_at=facts.ended_at or unit.now)


def _note_announced(unit: Unit, step: Any, facts: MppsFacts) -> None:
    """How many images the machine says it made, and its dose when nothing better is known."""
    columns: dict[str, Any] = {}
    if facts.announced:
        columns["expected_images"] = len(set(facts.announced))
    if facts.dose_area_product is not None and not step.dose:
        columns |= {"dose": f"PDS {facts.dose_area_product:g} mGy.cm²", "dose_source": "MPPS"}
    elif facts.dose_text and not step.dose:
        columns |= {"dose": facts.dose_text, "dose_source": "MPPS"}
    if columns:
        change(unit, step, **columns)
