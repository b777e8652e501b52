"""Finding, proposing, registering and merging patients. Software proposes; people decide; a merge can be undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.i18n import _
from core.index.exam_lines import exam_lines
from core.index.patient_rows import (
    by_identifier,
    current,
    demographics_columns,
    demographics_of,
    patient_of,
    patients_of,
    phone_key,
)
from core.index.rows import insert
from core.index.tables import (
    ImagingServiceRequest,
    MergeRecord,
    PatientIdentifier,
    Step,
    Study,
    Table,
    Task,
    Visit,
)
from core.index.tables import Patient as Row
from core.index.writer import Unit
from core.model.birth import UNKNOWN
from core.model.duplicates import THRESHOLD, likeness
from core.model.identifiers import Identifier, patient_number
from core.model.names import fold, person_name, phonetic_key
from core.model.patient import Candidate, Demographics, Patient
from core.model.people import Actor, Role
from core.model.worklist import ExamLine
from core.services.access import may_see
from core.services.kit import Kit, done_before, issue, remember

MOVED_BY_MERGE: tuple[type[Table], ...] = (Visit, ImagingServiceRequest, Step, Study)
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
        rows: dict[int, Any] = {}
        if number := by_identifier(text.strip()):
            rows[number.id] = number
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
            if (known := done_before(idempotency_key)) is not None:
                return patient_of(Row.get_by_id(known))
            likely = [c for c in self.propose(actor, who) if c.score >= 0.9]
            if likely and not reason.strip():
                raise Conflict(
                    _("%s existe déjà (%s) : choisissez-le, ou donnez le motif de la création.")
                    % (likely[0].patient.name, likely[0].patient.number)
                )
            row = create_patient(unit, self._kit, actor, who, reason=reason)
            remember(unit, idempotency_key, row.id)
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
        """Take a merge back: what it moved returns, whatever came since stays with the survivor."""
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


def create_patient(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    who: Demographics,
    *,
    number: str = "",
    authority: str = "",
    provisional: bool = False,
    identifiers: Iterable[Identifier] = (),
    reason: str = "",
    **also: Any,
) -> Any:
    """The row of a new patient, inside an act. A number of ours is issued when none is given."""
    if not number:
        prefix = kit.config.site.patient_prefix
        number = patient_number(prefix, issue("patient"))
        while PatientIdentifier.select().where(PatientIdentifier.value == number).exists():
            number = patient_number(prefix, issue("patient"))
    row = insert(Row, number=number, provisional=provisional, created_at=unit.now, **demographics_columns(who), **also)
    own = Identifier(number, authority or kit.config.site.authority)
    for identifier in {own, *identifiers}:
        insert(
            PatientIdentifier,
            patient=row.id,
            value=identifier.value,
            authority=identifier.authority,
            kind=identifier.kind,
        )
    unit.audit(actor, "register_patient", f"patient:{row.id}", row.id, number=number, reason=reason)
    unit.event(f"patient:{row.id}", row.id)
    return row


def update_patient(unit: Unit, actor: Actor, row: Any, who: Demographics, **also: Any) -> None:
    """Write new demographics and everything that shows them: studies' current identity and the lists."""
    new = demographics_columns(who) | also
    old = {name: getattr(row, name) for name in new}
    changed = {name: value for name, value in new.items() if old[name] != value}
    if not changed:
        return
    Row.update(**changed).where(Row.id == row.id).execute()
    for name, value in changed.items():
        setattr(row, name, value)
    show_identity(row)
    before = {name: old[name] for name in changed if not name.endswith("_key") and name != "told_at"}
    unit.audit(actor, "correct_patient", f"patient:{row.id}", row.id, before=before)
    unit.event(f"patient:{row.id}", row.id)
    touch_exams(unit, row.id)


def show_identity(row: Any) -> None:
    """The studies of a patient carry the current identity; what the files said stays in the `sent_` columns."""
    who = demographics_of(row)
    Study.update(
        number=row.number,
        name=person_name(who.family_name, who.given_names),
        name_key=row.name_key,
        birth_date=who.birth.dicom(),
        sex=who.sex,
    ).where(Study.patient == row.id).execute()


def touch_exams(unit: Unit, patient_id: int) -> None:
    """Every list that shows an exam of this patient must be drawn again."""
    for step in Step.select(Step.id, Step.day, Step.room, Step.ward).where(Step.patient == patient_id):
        for topic in (f"day:{step.day}", f"step:{step.id}", f"ward:{step.ward}", "reading"):
            unit.event(topic, step.id)


def merge_rows(unit: Unit, actor: Actor, survivor: Any, prior: Any, reason: str) -> None:
    """Inside an act: move what the prior patient owns and make it an alias. Twice is once."""
    if survivor.id == prior.id:
        return
    moved: dict[str, list[int]] = {}
    for table in MOVED_BY_MERGE:
        owned = [r.id for r in table.select(table.id).where(table.patient == prior.id)]  # type: ignore[attr-defined]
        if table is Visit:
            taken = {v.number for v in Visit.select(Visit.number).where(Visit.patient == survivor.id)}
            owned = [v.id for v in Visit.select().where(Visit.patient == prior.id) if v.number not in taken]
        table.update(patient=survivor.id).where(table.id.in_(owned)).execute()  # type: ignore[attr-defined]
        moved[table._meta.table_name] = owned
    Row.update(merged_into=survivor.id).where(Row.id == prior.id).execute()
    show_identity(survivor)
    insert(
        MergeRecord,
        prior=prior.id,
        survivor=survivor.id,
        at=unit.now,
        actor=actor.name,
        reason=reason,
        moved=json.dumps(moved),
    )
    unit.audit(
        actor, "merge_patients", f"patient:{survivor.id}", survivor.id, prior=prior.number, moved=moved, reason=reason
    )
    for patient_id in (survivor.id, prior.id):
        unit.event(f"patient:{patient_id}", patient_id)
    touch_exams(unit, survivor.id)
    _answer_questions(unit, actor, survivor, prior)


def _answer_questions(unit: Unit, actor: Actor, survivor: Any, prior: Any) -> None:
    """What was asked about these two is answered: they are one."""
    asked = Task.select().where(
        Task.kind.in_(["merge", "identifier"]), Task.patient_id.in_([survivor.id, prior.id]), Task.done_at.is_null()
    )
    for task in asked:
        if {survivor.number, prior.number} <= set(re.split(r"[\s,;:()]+", task.text)):
            Task.update(done_at=unit.now, done_by=actor.name).where(Task.id == task.id).execute()


def undo_merge(unit: Unit, actor: Actor, record: Any, reason: str) -> None:
    """Inside an act: what the merge moved goes back to the prior patient."""
    moved = json.loads(record.moved)
    for table in MOVED_BY_MERGE:
        ids = moved.get(table._meta.table_name, [])
        table.update(patient=record.prior_id).where(table.id.in_(ids)).execute()  # type: ignore[attr-defined]
    Row.update(merged_into=None).where(Row.id == record.prior_id).execute()
    MergeRecord.update(undone_at=unit.now).where(MergeRecord.id == record.id).execute()
    for patient_id in (record.prior_id, record.survivor_id):
        show_identity(Row.get_by_id(patient_id))
        unit.event(f"patient:{patient_id}", patient_id)
        touch_exams(unit, patient_id)
    unit.audit(actor, "unmerge_patients", f"patient:{record.prior_id}", record.prior_id, moved=moved, reason=reason)
