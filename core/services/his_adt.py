"""Patients and visits as the HIS knows them; merges it asks for. Everything runs inside one act."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from core.errors import BadMessage
from core.i18n import _
from core.index.patient_rows import by_identifier, current, demographics_of
from core.index.rows import insert
from core.index.tables import Patient as Row
from core.index.tables import PatientIdentifier, Task, Visit
from core.index.writer import Unit
from core.model.his import AdtFeed, InboxState, PatientFeed
from core.model.identifiers import UNVERIFIED, Identifier
from core.model.patient import Demographics
from core.model.people import Actor, Role
from core.model.reconciliation import could_be_one
from core.services.kit import Kit
from core.services.merging import merge_rows
from core.services.patient_acts import create_patient, update_patient, yield_number
from core.services.tasks import ask


class Told(NamedTuple):
    """What a feed did. stale: older than what is known, nothing changed; held: what a person must decide, in French."""

    row: Any
    stale: bool = False
    held: str = ""


def upsert(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    feed: PatientFeed,
    told_at: datetime | None,
    closes: bool = False,
    others: bool = True,
) -> Told:
    """The patient of a feed, created or brought up to date. others: also its further numbers (PID-3 repeats)."""
    row = by_identifier(feed.principal.value, feed.principal.authority)
    yielded = _verified(unit, kit, actor, row, feed) if row is not None else None
    if row is None or yielded is not None:
        row = create_patient(
            unit,
            kit,
            actor,
            _said(feed, Demographics(feed.family_name or feed.principal.value)),
            number=feed.principal.value,
            authority=feed.principal.authority,
            told_at=told_at,
            ward=feed.ward or "",
            deceased_on=feed.deceased_on,
        )
        asked = [add_numbers(unit, row, feed) if others else ""]
        if yielded is not None:
            asked.append(_ask_whose_images(unit, row, yielded))
        _visit(unit, row, feed, closes)
        return Told(row, held="; ".join(text for text in asked if text))
    if told_at is not None and row.told_at is not None and told_at < row.told_at:
        return Told(row, stale=True)
    also: dict[str, Any] = {"told_at": told_at or row.told_at}
    if row.provisional and feed.family_name:
        also["provisional"] = False
    if feed.ward is not None:
        also["ward"] = feed.ward
    if feed.deceased_on is not None:
        also["deceased_on"] = feed.deceased_on
    update_patient(unit, actor, row, _said(feed, demographics_of(row)), **also)
    held = add_numbers(unit, row, feed) if others else ""
    _visit(unit, row, feed, closes)
    return Told(row, held=held)


def _verified(unit: Unit, kit: Kit, actor: Actor, row: Any, feed: PatientFeed) -> Any | None:
    """A number that only a machine has said is the HIS's from now on. The patient who had it, when another child."""
    number = feed.principal
    typed = PatientIdentifier.get_or_none(
        PatientIdentifier.value == number.value,
        PatientIdentifier.authority == number.authority,
        PatientIdentifier.patient == row.id,
        PatientIdentifier.kind == UNVERIFIED,
    )
    if typed is None or not feed.family_name:
        return None
    if not row.provisional or could_be_one(_said(feed, Demographics(feed.family_name)), demographics_of(row)):
        PatientIdentifier.update(kind=number.kind).where(PatientIdentifier.id == typed.id).execute()
        return None
    yield_number(unit, kit, actor, row, number.value, number.authority)
    return row


def _said(feed: PatientFeed, known: Demographics) -> Demographics:
    """What is known, overwritten by what the feed says; None says nothing, "" deletes."""
    told: dict[str, Any] = {
        "family_name": feed.family_name or None,
        "given_names": feed.given_names,
        "birth": feed.birth,
        "sex": feed.sex,
        "mother_family_name": feed.mother_family_name,
        "mother_given_names": feed.mother_given_names,
        "mother_number": feed.mother_number,
        "birth_order": feed.birth_order,
        "guardian_phone": feed.phone,
        "address": feed.address,
        "national_id": feed.national_id,
    }
    return replace(known, **{name: value for name, value in told.items() if value is not None})


def add_numbers(unit: Unit, row: Any, feed: PatientFeed) -> str:
    """The further numbers of a feed; one that another patient bears is for a person to decide, in French."""
    conflicts = []
    for number in feed.identifiers:
        if number == feed.principal or not number.value:
            continue
        borne = PatientIdentifier.get_or_none(
            PatientIdentifier.value == number.value, PatientIdentifier.authority == number.authority
        )
        other = current(borne.patient_id) if borne is not None else None
        if borne is None:
            insert(PatientIdentifier, patient=row.id, value=number.value, authority=number.authority, kind=number.kind)
        elif other is not None and other.id != row.id:
            conflicts.append(_ask_whose_number(unit, row, other, number))
    return "; ".join(conflicts)


def _ask_whose_number(unit: Unit, row: Any, other: Any, number: Identifier) -> str:
    said = f"{number.value} ({number.authority})"
    sentence: str = _("Le SIH donne à %s le numéro %s, déjà porté par %s : même enfant, ou erreur ?")
    return _ask_identity(unit, row, sentence % (row.number, said, other.number))


def _ask_whose_images(unit: Unit, row: Any, other: Any) -> str:
    sentence: str = _(
        "Une machine a donné le numéro %s à %s ; le SIH le donne à un autre enfant : de qui sont les images ?"
    )
    return _ask_identity(unit, other, sentence % (row.number, other.number))


def _ask_identity(unit: Unit, row: Any, text: str) -> str:
    """One open task for the identity officer, however often the HIS says it."""
    if not Task.select().where(Task.kind == "identifier", Task.text == text, Task.done_at.is_null()).exists():
        ask(unit, "identifier", Role.IDENTITY_OFFICER, text, patient_id=row.id)
        unit.event("alarm", "identifier")
    return text


def _visit(unit: Unit, row: Any, feed: PatientFeed, closes: bool) -> None:
    if not feed.visit_number:
        return
    visit = Visit.get_or_none(Visit.patient == row.id, Visit.number == feed.visit_number)
    told = {"patient_class": feed.patient_class, "ward": feed.ward, "room": feed.room, "bed": feed.bed}
    said = {name: value for name, value in told.items() if value is not None}
    if visit is None:
        visit = insert(Visit, patient=row.id, number=feed.visit_number, opened_at=unit.now, **said)
    elif said:
        Visit.update(**said).where(Visit.id == visit.id).execute()
    if closes:
        Visit.update(closed_at=unit.now).where(Visit.id == visit.id).execute()


def apply_merge(unit: Unit, kit: Kit, actor: Actor, adt: AdtFeed, told_at: datetime | None) -> tuple[InboxState, str]:
    """A40 and A47: each prior number becomes one of the survivor's. Contradictions are held for a person."""
    held = []
    for prior_number, survivor_feed in adt.merges:
        if prior_number.value == survivor_feed.principal.value and (
            prior_number.authority == survivor_feed.principal.authority
        ):
            raise BadMessage(_("Fusion d'un numéro avec lui-même : %s") % prior_number.value, "205")
        survivor = upsert(unit, kit, actor, survivor_feed, told_at, others=False).row
        prior = by_identifier(prior_number.value, prior_number.authority)
        if prior is None:
            PatientIdentifier.insert(
                patient=survivor.id, value=prior_number.value, authority=prior_number.authority, kind=prior_number.kind
            ).on_conflict_ignore().execute()
        elif prior.id == survivor.id:
            pass
        elif _contradict(prior, survivor):
            held.append(_hold(unit, prior, survivor))
        else:
            merge_rows(unit, actor, Row.get_by_id(survivor.id), prior, _("demandé par le SIH (%s)") % adt.event)
        held.append(add_numbers(unit, survivor, survivor_feed))
    held = [text for text in held if text]
    if held:
        return InboxState.HELD, "; ".join(held)
    return InboxState.APPLIED, ""


def _contradict(prior: Any, survivor: Any) -> bool:
    a, b = demographics_of(prior), demographics_of(survivor)
    return a.birth.contradicts(b.birth) or {a.sex, b.sex} == {"F", "M"}


def _hold(unit: Unit, prior: Any, survivor: Any) -> str:
    text = _("Fusion à décider : %s et %s ont un sexe ou une naissance contradictoires.") % (
        prior.number,
        survivor.number,
    )
    ask(unit, "merge", Role.IDENTITY_OFFICER, text, patient_id=survivor.id)
    unit.event("alarm", "merge")
    return text
