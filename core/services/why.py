"""« Pourquoi n'est-il pas sur la machine ? »: one sentence for each machine, and one key that relaxes what kept it off.

The worklist's own predicates are run on the exam with the machine's last query, and every one is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.errors import BadInput, NotFound
from core.i18n import _
from core.index.tables import Device as DeviceRow
from core.index.tables import ImagingServiceRequest, Room, StepHistory
from core.index.writer import Unit
from core.model.device import Device, ae_key
from core.model.people import Actor, Role
from core.model.query import WorklistQuery
from core.model.why import RELAXES, Contact, ContactKind, Finding, Relax, Why
from core.services.access import DEPARTMENT, require
from core.services.contacts import Contacts
from core.services.devices import Devices
from core.services.kit import Kit
from core.services.modality_worklist import Predicate, Rooms, Row, entry, predicates, rows
from core.services.why_words import differs, lacking_of, refusal, state

MOST_DAYS = 31
_RELAXED = ("worklist_window_days", "cr_is_dx", "charset", "find_limit")


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing found, in words. asked: the key of the query, where there is one."""

    finding: Finding
    words: str
    asked: str = ""


class Whys:
    """The assistant of exams that a machine does not show."""

    def __init__(self, kit: Kit, devices: Devices, contacts: Contacts) -> None:
        self._kit = kit
        self._devices = devices
        self._contacts = contacts

    def ask(self, actor: Actor, accession: str, ae_title: str = "") -> tuple[Why, ...]:
        """Every exam of this accession number, on one machine or on all of them, those of its room first."""
        require(actor, *DEPARTMENT)
        rooms = Rooms.read()
        return tuple(
            self._judge(row, device, rooms)
            for row in _exams(accession)
            for device in self._machines(row, ae_title, rooms)
        )

    def contacts(self, actor: Actor, ae_title: str) -> tuple[Contact, ...]:
        """The last association attempts and worklist queries of a machine, newest first."""
        require(actor, Role.ADMINISTRATOR)
        declared = frozenset(machine.key for machine in self._devices.all())
        return tuple(self._contacts.of(self._device(ae_title), declared))

    def relax(self, actor: Actor, accession: str, ae_title: str, how: Relax) -> str:
        """Do what one key does about it, for this machine alone; audited. What was done, in words."""
        require(actor, Role.ADMINISTRATOR)
        device, row = self._device(ae_title), _exams(accession)[0]
        if how is Relax.TEST:
            return self._devices.probe(actor, device.ae_title).sentence
        if how is Relax.ROOM:
            return self._add_to_room(actor, accession, device, row)
        changed, words = self._changed(device, row, how)

        def act(unit: Unit) -> None:
            values = {name: getattr(changed, name) for name in _RELAXED}
            DeviceRow.update(**values).where(DeviceRow.key == device.key).execute()
            self._audit(unit, actor, accession, device, how, words)

        self._kit.act(actor, "relax_worklist", act)
        return words

    def _audit(self, unit: Unit, actor: Actor, accession: str, device: Device, how: Relax, words: str) -> None:
        unit.audit(actor, "relax_worklist", f"device:{device.ae_title}", how=str(how), accession=accession, done=words)
        unit.event("devices", device.ae_title)
        unit.after_commit(self._devices.forget)

    def _changed(self, device: Device, row: Row, how: Relax) -> tuple[Device, str]:
        title = device.ae_title
        if how is Relax.WINDOW:
            days = abs((row["day"] - self._kit.today()).days)
            if days > MOST_DAYS:
                raise BadInput(_("L'examen est à %d jours : déplacez-le plutôt.") % days, "window")
            wider = max(days, device.worklist_window_days)
            return replace(device, worklist_window_days=wider), _("%s voit maintenant %d jours avant et après.") % (
                title,
                wider,
            )
        if how is Relax.CR_DX:
            return replace(device, cr_is_dx=True), _("CR et DX sont maintenant la même chose pour %s.") % title
        if how is Relax.ASCII:
            return replace(device, charset="ascii"), _("%s reçoit maintenant des lettres sans accents.") % title
        limit = max(device.find_limit, 5000) * 2
        return replace(device, find_limit=limit), _("%s peut maintenant recevoir %d réponses.") % (title, limit)

    def _add_to_room(self, actor: Actor, accession: str, device: Device, row: Row) -> str:
        words = _("%s est maintenant une machine de la salle %s.") % (device.ae_title, row["room"])

        def act(unit: Unit) -> None:
            room = Room.get_or_none(Room.code == row["room"])
            if room is None:
                raise NotFound(_("L'examen n'a pas de salle : planifiez-le d'abord."))
            if device.key not in {ae_key(title) for title in room.ae_titles}:
                titles = (*room.ae_titles, device.ae_title)
                Room.update(ae_titles=titles).where(Room.code == room.code).execute()
            self._audit(unit, actor, accession, device, Relax.ROOM, words)

        self._kit.act(actor, "relax_worklist", act)
        return words

    # Which machines

    def _device(self, ae_title: str) -> Device:
        device = self._devices.by_ae(ae_title)
        if device is None:
            raise NotFound(_("Aucune machine %s.") % ae_title)
        return device

    def _machines(self, row: Row, ae_title: str, rooms: Rooms) -> list[Device]:
        if ae_title:
            return [self._device(ae_title)]
        own = rooms.of(row)
        machines = [d for d in self._devices.all() if d.active and d.role == "modality"]
        return sorted(machines, key=lambda d: (d.key not in own, d.modality != row["modality"], d.key))

    # One machine

    def _judge(self, row: Row, device: Device, rooms: Rooms) -> Why:
        declared = frozenset(machine.key for machine in self._devices.all())
        contacts = self._contacts.of(device, declared)
        query = next((c for c in contacts if c.kind is ContactKind.QUERY and c.calling), None)
        causes = [*self._before(device, contacts, query), *self._of_query(row, device, rooms, query)]
        words = ", ".join(cause.words for cause in causes)
        return Why(
            device.ae_title,
            row["id"],
            f"{device.ae_title} : {words}.",
            tuple(cause.finding for cause in causes),
            tuple(dict.fromkeys(how for cause in causes if (how := _relaxed_by(cause, row, device)))),
        )

    def _before(self, device: Device, contacts: list[Contact], query: Contact | None) -> list[Cause]:
        """What went wrong before any query, if the newest contact says so."""
        if not contacts:
            return [Cause(Finding.NO_CONTACT, self._never(device))]
        newest = contacts[0]
        if newest.kind is ContactKind.ASSOCIATION and newest.result != "opened":
            why = refusal(newest, device)
            return [Cause(Finding.REJECTED, _("association refusée le %s : %s") % (self._when(newest.at), why))]
        if query is not None:
            return []
        if newest.worklist in ("", "accepted"):
            words = _("connectée le %s sans interroger la liste de travail") % self._when(newest.at)
            return [Cause(Finding.NO_QUERY, words)]
        if newest.worklist == "not proposed":
            words = _("connectée le %s sans proposer la liste de travail") % self._when(newest.at)
        else:
            words = _("liste de travail proposée dans des syntaxes refusées (%s)") % newest.worklist
        return [Cause(Finding.NO_WORKLIST, words)]

    def _never(self, device: Device) -> str:
        moments = (device.last_call_at, device.last_query_at, device.last_store_at)
        last = max((moment for moment in moments if moment), default=None)
        return _("aucune connexion depuis le %s") % self._when(last) if last else _("aucune connexion reçue")

    def _of_query(self, row: Row, device: Device, rooms: Rooms, query: Contact | None) -> list[Cause]:
        """Every predicate that keeps the exam off, with the last query or with none of its own."""
        wanted = WorklistQuery(device.ae_title, device)
        if query is not None and query.asked:
            wanted = replace(WorklistQuery.from_json(query.asked), calling_ae=device.ae_title, device=device)
        failing = [p for p in predicates(self._kit, wanted, rooms) if not p.holds(row)]
        if failing:
            causes = [self._cause(predicate, row, rooms) for predicate in failing]
            if query is not None:
                said = _("requête du %s : %s") % (self._when(query.at), causes[0].words)
                causes[0] = replace(causes[0], words=said)
            return causes
        return [self._given(row, rooms, query)] if query is not None else []

    def _given(self, row: Row, rooms: Rooms, query: Contact) -> Cause:
        """Nothing keeps it off now."""
        when = self._when(query.at)
        if query.result != "answered":
            words = _("requête du %s interrompue (%s), l'examen sera donné à la prochaine") % (when, query.result)
            return Cause(Finding.WOULD, words)
        if row["id"] in query.steps:
            words = _("donné le %s (%d réponse(s)), la machine ne l'affiche pas") % (when, query.answers)
            lacking = ", ".join(lacking_of(entry(self._kit, row, rooms)))
            return Cause(Finding.GIVEN, f"{words} ; {_('vide ou trop long')} : {lacking}" if lacking else words)
        if query.limited:
            words = _("limite de %d réponse(s) atteinte le %s avant cet examen") % (query.answers, when)
            return Cause(Finding.LIMIT, words)
        words = _("l'examen sera donné à la prochaine requête (dernière le %s)") % when
        if StepHistory.select().where(StepHistory.step == row["id"], StepHistory.at > query.at).exists():
            words = _("pas de requête depuis le %s, l'examen a changé depuis et sera donné à la prochaine") % when
        return Cause(Finding.WOULD, words)

    def _cause(self, predicate: Predicate, row: Row, rooms: Rooms) -> Cause:
        asked, value = predicate.asked, predicate.value(row)
        if predicate.finding is Finding.STATE:
            return Cause(Finding.STATE, state(row, rooms))
        if predicate.finding is Finding.STATION:
            titles = ", ".join(sorted(rooms.of(row))).upper() or "-"
            value = f"{value} ({titles})"
        return Cause(predicate.finding, differs(predicate.finding) % (asked, value), asked)

    def _when(self, moment: datetime) -> str:
        return f"{self._kit.local(moment):%d/%m/%Y %H:%M}"


def _exams(accession: str) -> list[dict[str, Any]]:
    number = accession.strip()
    named = (ImagingServiceRequest.accession_number == number) | (ImagingServiceRequest.foreign_accession == number)
    found = rows(named) if number else []
    if not found:
        raise NotFound(_("Aucun examen ne porte le numéro %s.") % number)
    return found


def _relaxed_by(cause: Cause, row: Row, device: Device) -> Relax | None:
    if cause.finding is Finding.MODALITY:
        return Relax.CR_DX if {cause.asked.upper(), row["modality"].upper()} == {"CR", "DX"} else None
    how = RELAXES.get(cause.finding)
    if how is Relax.ASCII and device.charset == "ascii":
        return None
    return how
