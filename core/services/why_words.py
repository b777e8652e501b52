"""The words of « pourquoi n'est-il pas sur la machine ? »: refusals, states, keys that differ, what an item lacks."""

from __future__ import annotations

from core.i18n import _
from core.model.device import Device, ae_key
from core.model.order import WorklistEntry
from core.model.step import StepStatus
from core.model.why import Contact, Finding
from core.model.worklist import WorklistStatus
from core.services.modality_worklist import Rooms, Row


def differs(finding: Finding) -> str:
    """A sentence with two places: what was asked, what the exam has."""
    words = {
        Finding.WINDOW: _("sans date, la machine voit %s : l'examen est le %s"),
        Finding.DATE: _("date demandée %s, examen le %s"),
        Finding.HOURS: _("heure demandée %s, examen à %s"),
        Finding.STATION: _("station demandée %s, examen en salle %s"),
        Finding.ROOM: _("machine de la salle « %s », examen en salle « %s »"),
        Finding.MODALITY: _("modalité demandée %s, examen %s"),
        Finding.NAME: _("nom demandé « %s », patient « %s »"),
        Finding.NUMBER: _("numéro demandé « %s », patient « %s »"),
        Finding.ACCESSION: _("numéro d'examen demandé « %s », celui-ci est « %s »"),
        Finding.PROCEDURE: _("procédure demandée « %s », celle-ci est « %s »"),
        Finding.STEP: _("étape demandée « %s », celle-ci est « %s »"),
        Finding.STUDY: _("étude demandée « %s », celle-ci est « %s »"),
    }
    return words.get(finding, _("critère demandé « %s », l'examen a « %s »"))


def refusal(contact: Contact, device: Device) -> str:
    """Why the association was refused. A title at an address of its own lacks what its row asks of the line."""
    addresses = device.addresses or (device.host,)
    if contact.result == "CALLING_AE" and ae_key(contact.calling) == device.key and contact.address in addresses:
        if not device.active:
            return _("la fiche de la machine est inactive")
        return _("la fiche de la machine demande TLS ou un autre certificat")
    words = {
        "CALLED_AE": _("titre appelé « %s », ce n'est pas le nôtre") % contact.called,
        "CALLING_AE": _("titre « %s » à l'adresse %s non déclaré") % (contact.calling, contact.address),
        "LOCAL_LIMIT": _("trop d'associations ouvertes"),
        "PROTOCOL_VERSION": _("version du protocole"),
        "APPLICATION_CONTEXT": _("contexte d'application"),
    }
    return words.get(contact.result, contact.result)


def state(row: Row, rooms: Rooms) -> str:
    """The state and what is missing."""
    status, room = row["status"], rooms.by_code.get(row["room"])
    if status == StepStatus.REQUESTED:
        return _("examen à protocoler") if row["vetting"] == "WAITING" else _("examen demandé, sans rendez-vous")
    if row["scheduled_at"] is None:
        return _("examen sans rendez-vous")
    if status == StepStatus.SCHEDULED and room is not None and room.visible_from == "arrived":
        return _("patient pas encore accueilli (cette salle ne montre que les patients arrivés)")
    if status == StepStatus.STARTED:
        return _("examen commencé depuis plus de 4 h")
    return _("examen déjà « %s »") % _word(str(status))


def _word(status: str) -> str:
    words = {
        StepStatus.COMPLETED: WorklistStatus.DONE,
        StepStatus.DISCONTINUED: WorklistStatus.INTERRUPTED,
        StepStatus.CANCELED: WorklistStatus.CANCELED,
        StepStatus.NO_SHOW: WorklistStatus.ABSENT,
    }
    found = words.get(StepStatus(status))
    return found.word if found else status


def lacking_of(item: WorklistEntry) -> list[str]:
    """What machines have been seen to refuse an item for: empty, or longer than they hold."""
    empty = {
        _("date de naissance"): item.birth_date,
        _("sexe"): item.sex,
        _("poids"): item.weight_kg,
        _("prescripteur"): item.prescriber,
        _("numéro de venue"): item.visit_number,
    }
    long = {
        _("numéro d'examen"): (item.accession_number, 16),
        _("libellé"): (item.exam_label, 64),
        _("nom"): (item.patient_name, 64),
        _("indication"): (item.indication, 64),
    }
    return [
        *(name for name, value in empty.items() if not value),
        *(n for n, (text, most) in long.items() if len(text) > most),
    ]
