"""Which patient and which exam the identifiers of an object name: Study UID, then accession, then step id and day.

Reads only; runs inside an act.
"""

from __future__ import annotations

from typing import Any

from core.i18n import _
from core.index.patient_rows import by_identifier, demographics_of
from core.index.rows import find
from core.index.tables import Device, database
from core.model.device import ae_key
from core.model.received import ReceivedHeader
from core.model.reconciliation import same_name
from core.model.step import StepStatus
from core.services.kit import Kit
from core.services.steps import step_row


def bearer_of(kit: Kit, header: ReceivedHeader) -> Any | None:
    """The patient who bears the number sent. The same number of two hospitals is two children: the issuer decides.

    An issuer nobody has heard of may be what a machine writes on everything: the whole name must then be the same.
    """
    issuer = header.issuer_of_patient_id
    if issuer and (theirs := by_identifier(header.patient_id, issuer)) is not None:
        return theirs
    ours = by_identifier(header.patient_id) or by_identifier(header.patient_id, kit.config.site.authority)
    if issuer and ours is not None and not same_name(header, demographics_of(ours)):
        return None
    return ours


def named_step(kit: Kit, header: ReceivedHeader, ae_title: str) -> tuple[Any | None, str]:
    """The exam that the identifiers of the object name; else "" or what a person may want to look at, in French.

    The Study UID is ours and names its exam whatever the patient; so does our accession when the number sent is
    nobody's. Any other accession counts within one patient: machines write the same one on every child.
    """
    if found := _steps("r.study_instance_uid = ?", header.study_instance_uid):
        return step_row(_first(found)[0]), ""
    bearer = bearer_of(kit, header) if header.patient_id else None
    accession = header.accession_number.strip()
    proposed = ""
    if accession and bearer is not None:
        within = "(q.accession_number = ? OR q.foreign_accession = ?) AND s.patient_id = ?"
        step_id, proposed = _of_accession(header, _steps(within, accession, accession, bearer.id), ae_title)
        if step_id is not None:
            return step_row(step_id), ""
        if not proposed and bearers_of_accession(accession):
            proposed = _("numéro de demande d'un autre patient : %s") % accession
    elif accession and (found := _steps("q.accession_number = ?", accession)):
        return step_row(_first(found)[0]), ""
    if header.step_id and bearer is not None:
        found = _steps("s.scheduled_step_id = ? AND s.patient_id = ?", header.step_id, bearer.id)
        step = step_row(_first(found)[0]) if found else None
        if step is not None and header.study_date in ("", f"{step.day:%Y%m%d}"):
            return step, ""
    return None, proposed


_STEPS = (
    "SELECT s.id, s.status, s.modality, s.room, s.scheduled_step_id, q.accession_number, "
    "EXISTS (SELECT 1 FROM study t WHERE t.step_id = s.id) FROM step s "
    "JOIN requested_procedure r ON r.id = s.procedure_id JOIN imaging_service_request q ON q.id = r.request_id WHERE "
)
_GONE = (str(StepStatus.CANCELED), str(StepStatus.NO_SHOW))
_DONE = (str(StepStatus.COMPLETED), str(StepStatus.DISCONTINUED), str(StepStatus.CANCELED))


def _steps(condition: str, *values: Any) -> list[Any]:
    """`condition` is our own SQL."""
    found: list[Any] = database.execute_sql(_STEPS + condition, values).fetchall()
    return found


def bearers_of_accession(accession: str) -> list[Any]:
    """The exams of an accession number that is ours, whoever their patient is."""
    return [step_row(s[0]) for s in _steps("q.accession_number = ?", accession)] if accession else []


def _first(found: list[Any]) -> Any:
    return min(found, key=lambda s: (s[1] in _GONE, s[0]))


def _of_accession(header: ReceivedHeader, found: list[Any], ae_title: str) -> tuple[int | None, str]:
    """Of the exams of one accession of this patient: the one named, else one that waits for this kind of machine.

    None of them waits: the only exam of an accession of ours takes late images; otherwise a person says which.
    """
    if not found:
        return None, ""
    accession = header.accession_number.strip()
    if named := [s for s in found if header.step_id and s[4] == header.step_id and s[1] not in _GONE]:
        return int(named[0][0]), ""
    device = find(Device, key=ae_key(ae_title)) if ae_title else None
    room = device.room if device else ""
    open_ = [s for s in found if s[1] not in _DONE or (s[1] != str(StepStatus.CANCELED) and not s[6])]
    fits = [s for s in open_ if s[2] == header.modality or (room and s[3] == room)]
    if fits:
        best = min(fits, key=lambda s: (s[1] in _GONE, s[2] != header.modality, s[3] != room, s[0]))
        return int(best[0]), ""
    if len(found) == 1 and (found[0][5] == accession or found[0] in open_):
        return int(found[0][0]), ""
    return None, _("peut-être de la demande %s") % accession
