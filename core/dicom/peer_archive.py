"""What we ask of other archives: C-FIND of their studies, C-MOVE of one to ourselves; pynetdicom as the requester.

Source: PS3.4 annex C. What they answer is hostile until shown otherwise: every text and UID is checked as at ingest,
the number of answers is capped. The images come in by our own door.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from core.dicom import conformance
from core.dicom.send import DicomSender
from core.errors import BadMessage, Unreachable
from core.i18n import _
from core.model.device import Device
from core.model.fetching import FoundStudy, Moved, StudyCriteria
from core.model.identifiers import is_uid

MOST_ANSWERS: Final = 10_000
MOVE_S: Final = 300.0  # an archive that fetches from tape says nothing meanwhile
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_DONE: Final = frozenset({0x0000, 0xB000})


class PeerArchives:
    """Implements `PeerArchive` of `core.services.ports`. title: ours, where the images are to be sent."""

    def __init__(self, sender: DicomSender, title: str, most_answers: int = MOST_ANSWERS) -> None:
        self._sender = sender
        self._title = title
        self._most_answers = most_answers

    def studies(self, device: Device, criteria: StudyCriteria) -> list[FoundStudy]:
        """C-FIND, study root, study level. Raises `BadMessage` for more answers than anybody can want."""
        found = []
        with self._sender.association(device, [(conformance.STUDY_ROOT_FIND, conformance.IMPLICIT_LE)]) as line:
            _taken(line, device)
            for answer in _answers(line.send_c_find(_keys(criteria), conformance.STUDY_ROOT_FIND), device):
                if (study := _study_of(answer)) is not None:
                    found.append(study)
                if len(found) > self._most_answers:
                    line.abort()
                    sentence = _("%s répond plus de %d études à une question.")
                    raise BadMessage(sentence % (device.ae_title, self._most_answers), "find")
        return found

    def move(self, device: Device, study_instance_uid: str) -> Moved:
        from pydicom import Dataset

        keys = Dataset()
        keys.QueryRetrieveLevel, keys.StudyInstanceUID = "STUDY", study_instance_uid
        contexts = [(conformance.STUDY_ROOT_MOVE, conformance.IMPLICIT_LE)]
        with self._sender.association(device, contexts, answer_s=MOVE_S) as line:
            _taken(line, device)
            final = None
            for final, _rest in line.send_c_move(keys, self._title, conformance.STUDY_ROOT_MOVE):
                if not final:
                    raise Unreachable(_("%s a coupé pendant l'envoi.") % device.ae_title)
        if final is None or final.Status not in _DONE:
            raise BadMessage(_refusal(device, final), "move")
        return Moved(
            final.get("NumberOfCompletedSuboperations", 0) + final.get("NumberOfWarningSuboperations", 0),
            final.get("NumberOfFailedSuboperations", 0),
        )


def _refusal(device: Device, final: Any) -> str:
    status = final.Status if final is not None else 0
    if status == 0xA801:
        sentence = _("%s ne sait pas où nous envoyer les images : y déclarer notre titre AE, adresse et port.")
        return sentence % device.ae_title
    return _("%s refuse l'envoi (%04X).") % (device.ae_title, status)


def _taken(line: Any, device: Device) -> None:
    if not line.accepted_contexts:
        raise BadMessage(_("%s ne répond pas aux questions d'une archive.") % device.ae_title, "context")


def _keys(criteria: StudyCriteria) -> Any:
    from pydicom import Dataset

    keys = Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID, keys.PatientID = "STUDY", "", criteria.patient_id
    keys.NumberOfStudyRelatedInstances = ""
    first, last = (f"{day:%Y%m%d}" if day else "" for day in (criteria.first, criteria.last))
    keys.StudyDate = f"{first}-{last}" if first or last else ""
    return keys


def _answers(replies: Any, device: Device) -> Iterator[Any]:
    for status, answer in replies:
        if not status:
            raise Unreachable(_("%s a coupé pendant sa réponse.") % device.ae_title)
        if status.Status in _PENDING:
            if answer is not None:
                yield answer
        elif status.Status != 0:
            raise BadMessage(_("%s refuse la question (%04X).") % (device.ae_title, status.Status), "find")


def _study_of(answer: Any) -> FoundStudy | None:
    """None for an answer that names no study."""
    uid, date = str(answer.get("StudyInstanceUID", "")), str(answer.get("StudyDate", ""))
    if not is_uid(uid):
        return None
    try:
        instances: int | None = int(answer.get("NumberOfStudyRelatedInstances"))
    except (TypeError, ValueError):
        instances = None
    return FoundStudy(uid, str(answer.get("PatientID", ""))[:64], date[:8] if date[:8].isdigit() else "", instances)
