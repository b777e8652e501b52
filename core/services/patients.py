"""Finding, proposing, registering and merging patients. Software proposes; people decide; a merge can be undone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.i18n import _
from core.index.exam_lines import exam_lines
from core.index.patient_rows import (
    bearers,
    by_identifier,
    current,
    demographics_of,
    patient_of,
    patients_of,
    phone_key,
)
from core.index.tables import MergeRecord, Step
from core.index.tables import Patient as Row
from core.index.writer import Unit
from core.model.birth import UNKNOWN
from core.model.duplicates import THRESHOLD, likeness
from core.model.names import fold, phonetic_key
from core.model.patient import Candidate, Demographics, Patient
from core.model.people import Actor, Role
from core.model.worklist import ExamLine
from core.services.access import may_see
from core.services.kit import Kit, done_before, issue, remember
from core.services.merging import merge_rows, undo_merge
from core.services.patient_acts import create_patient, update_patient

MERGE_ROLES = (Role.RECEPTION, Role.IDENTITY_OFFICER, Role.ADMINISTRATOR, Role.SYSTEM)
UNMERGE_DAYS = 30


class Patients:
    """Verbs on patients."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def search(self, actor: Actor, text: str, limit: int = 50) -> list[Patient]:
        """By any part of the name in any word order and spelling, by number, phone or mother's name."""
        words = fold(text).split()
        if not words:
            return []
        rows = _by_id(bearers(text.strip()))
        digits = re.sub(r"\D", "", text)
        live = Row.merged_into.is_null()
        if len(digits) >= 4 and not re.search(r"[A-Za-z]{3}", text):
            rows |= _by_id(Row.select().where(live, Row.phone_key.endswith(digits[-8:])).limit(limit))
        rows |= _by_id(Row.select().where(live, Row.number.startswith(text.strip().upper())).limit(limit))
        spelled = Row.select().where(live)
        for word in words:
            mother = Row.mother_family_name.concat(" ").concat(Row.mother_given_names)
            spelled = spelled.where(Row.name_key.contains(word) | mother.contains(word))
        rows |= _by_id(spelled.order_by(Row.name_key).limit(limit))
        if len(rows) < limit:
            sounding = Row.select().where(live)
            for sound in phonetic_key(text).split():
                sounding = sounding.where(Row.sound_key.contains(sound))
            rows |= _by_id(sounding.order_by(Row.name_key).limit(limit - len(rows)))
        return patients_of(list(rows.values())[:limit])

    def propose(self, actor: Actor, typed: Demographics, limit: int = 8) -> list[Candidate]:
        """Who may already be this child, best first."""
        found = {p.id: p for p in patients_of(_alike_rows(typed))}
        scored = []
        for patient in found.values():
            score, reasons = likeness(typed, patient.demographics)
            if score >= THRESHOLD:
                scored.append(Candidate(patient, score, reasons))
        return sorted(scored, key=lambda c: (-c.score, c.patient.number))[:limit]

    def get(self, actor: Actor, patient_id: int) -> Patient:
        row = current(patient_id)
        if row is None:
            raise NotFound(_("Ce patient n'existe pas."))
        return patient_of(row)

    def by_number(self, actor: Actor, number: str) -> Patient | None:
        row = by_identifier(number.strip())
        return patient_of(row) if row else None

    def register(
        self, actor: Actor, demographics: Demographics, reason: str = "", idempotency_key: str = ""
    ) -> Patient:
        """A new patient with a number of ours.

        Raises `Conflict` when a likely duplicate exists (score ≥ 0.9) and no reason says why to create all the same.
        """
        who = demographics.cleaned()
        _check_registrar(actor)

        def act(unit: Unit) -> Patient:
            if (known := done_before("register", idempotency_key)) is not None:
                return patient_of(Row.get_by_id(known))
            likely = [c for c in self.propose(actor, who) if c.score >= 0.9]
            if likely and not reason.strip():
                raise Conflict(
                    _("%s existe déjà (%s) : choisissez-le, ou donnez le motif de la création.")
                    % (likely[0].patient.name, likely[0].patient.number)
                )
            row = create_patient(unit, self._kit, actor, who, reason=reason)
            remember(unit, "register", idempotency_key, row.id)
            return patient_of(row)

        return self._kit.act(actor, "register", act)

    def register_unknown(self, actor: Actor, sex: str = "") -> Patient:
        """An emergency without identity: `INCONNU^F 20261124-1`, provisional until somebody knows."""
        _check_registrar(actor)

        def act(unit: Unit) -> Patient:
            day = self._kit.today()
            rank = issue(f"unknown:{day}")
            who = Demographics(_("INCONNU"), f"{sex or 'X'} {day:%Y%m%d}-{rank}", UNKNOWN, sex)
            number = f"X-{day:%Y%m%d}-{rank:02d}"
            return patient_of(create_patient(unit, self._kit, actor, who, number=number, provisional=True))

        return self._kit.act(actor, "register_unknown", act)

    def correct(self, actor: Actor, patient_id: int, demographics: Demographics) -> Patient:
        """New demographics of a patient; the old ones stay in the audit."""
        who = demographics.cleaned()
        if not actor.is_any(Role.RECEPTION, Role.IDENTITY_OFFICER, Role.ADMINISTRATOR):
            raise NotAllowed(_("Votre rôle ne permet pas de corriger une identité."))

        def act(unit: Unit) -> Patient:
            row = current(patient_id)
            if row is None:
                raise NotFound(_("Ce patient n'existe pas."))
            update_patient(unit, actor, row, who)
            return patient_of(Row.get_by_id(row.id))

        return self._kit.act(actor, "correct_patient", act)

    def exams(self, actor: Actor, patient_id: int) -> list[ExamLine]:
        """Every exam of a patient that this actor may see, newest first."""
        row = current(patient_id)
        if row is None:
            raise NotFound(_("Ce patient n'existe pas."))
        return [
            e for e in exam_lines(Step.patient == row.id, (Step.day.desc(), Step.id.desc())) if may_see(actor, e.ward)
        ]

    def merge(self, actor: Actor, survivor_id: int, prior_id: int, reason: str) -> None:
        """Everything of `prior` moves to `survivor`; its number goes on finding the patient. `unmerge` undoes it."""
        if not actor.is_any(*MERGE_ROLES):
            raise NotAllowed(_("Votre rôle ne permet pas de fusionner des dossiers."))
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            survivor, prior = current(survivor_id), current(prior_id)
            if survivor is None or prior is None:
                raise NotFound(_("Ce patient n'existe pas."))
            contradicts = demographics_of(survivor).birth.contradicts(demographics_of(prior).birth)
            sexes = {survivor.sex, prior.sex} == {"F", "M"}
            if (contradicts or sexes) and not actor.is_any(Role.IDENTITY_OFFICER):
                raise NotAllowed(_("Sexe ou naissance contradictoires : l'identitovigilance doit décider."))
            merge_rows(unit, actor, survivor, prior, reason)

        self._kit.act(actor, "merge", act)

    def unmerge(self, actor: Actor, prior_id: int, reason: str) -> None:
        """Take a merge back: what it moved returns; what came since stays, unless it names the prior patient."""
        if not actor.is_any(Role.IDENTITY_OFFICER, Role.ADMINISTRATOR):
            raise NotAllowed(_("Seule l'identitovigilance peut défaire une fusion."))

        def act(unit: Unit) -> None:
            record = (
                MergeRecord.select()
                .where(MergeRecord.prior == prior_id, MergeRecord.undone_at.is_null())
                .order_by(MergeRecord.id.desc())
                .first()
            )
            if record is None:
                raise NotFound(_("Aucune fusion à défaire pour ce dossier."))
            if (unit.now - record.at).days > UNMERGE_DAYS:
                raise NotAllowed(_("Après 30 jours, défaire une fusion demande une deuxième personne."))
            undo_merge(unit, actor, record, reason)

        self._kit.act(actor, "unmerge", act)


def _check_registrar(actor: Actor) -> None:
    if not actor.is_any(Role.RECEPTION, Role.CLINICIAN, Role.ADMINISTRATOR, Role.TECHNOLOGIST, Role.SYSTEM):
        raise NotAllowed(_("Votre rôle ne permet pas d'inscrire un patient."))


def _by_id(rows: Iterable[Any]) -> dict[int, Any]:
    return {r.id: r for r in rows}


def _alike_rows(typed: Demographics) -> list[Any]:
    """Rows worth scoring: by sound of the family or given name, phone, mother's number, national id."""
    live = Row.merged_into.is_null()
    rows: dict[int, Any] = {}
    sounds = phonetic_key(f"{typed.family_name} {typed.given_names}").split()
    if sounds:
        both = Row.select().where(live)
        for sound in sounds:
            both = both.where(Row.sound_key.contains(sound))
        rows |= _by_id(both.limit(200))
        if typed.birth.earliest and typed.birth.latest:
            near = Row.select().where(
                live, Row.birth_earliest <= typed.birth.latest, Row.birth_latest >= typed.birth.earliest
            )
            rows |= _by_id(near.where(Row.sound_key.contains(sounds[0])).limit(200))
    if key := phone_key(typed.guardian_phone):
        rows |= _by_id(Row.select().where(live, Row.phone_key == key).limit(50))
    if typed.national_id:
        rows |= _by_id(Row.select().where(live, Row.national_id == typed.national_id).limit(50))
    return list(rows.values())
