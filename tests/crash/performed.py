"""A machine says that it began or ended an exam: MPPS N-CREATE and N-SET, cut in two as in `tests.crash.requests`."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.dicom import dimse, upper_layer
from install.demo.children import Child
from tests.crash.requests import Dead
from tests.dicom.modality import Closed, Modality
from tests.people.images import EXPLICIT, encoded

MPPS = "1.2.840.10008.3.1.2.3.3"
DONE_BEFORE = {dimse.N_CREATE_RQ: 0x0111, dimse.N_SET_RQ: 0x0110}  # PS3.4 F.7.2: duplicate; no longer updated


class Performed:
    """One message on an association of its own. field: N_CREATE_RQ or N_SET_RQ."""

    def __init__(self, name: str, address: tuple[str, int], field: int, uid: str, said: Dataset) -> None:
        self.name = name
        self._field, self._said = field, encoded(said)
        created = field == dimse.N_CREATE_RQ
        self._command = dimse.encode(
            [
                (dimse.AFFECTED_SOP_CLASS if created else dimse.REQUESTED_SOP_CLASS, MPPS),
                (dimse.COMMAND_FIELD, field),
                (dimse.MESSAGE_ID, 1),
                (dimse.DATA_SET_TYPE, dimse.WITH_DATA_SET),
                (dimse.AFFECTED_INSTANCE if created else dimse.REQUESTED_INSTANCE, uid),
            ]
        )
        self._modality = Modality(address)
        self._modality.associate(contexts=[(1, MPPS, [EXPLICIT])], calling=b"RADIO1")

    def send(self) -> None:
        self._modality.send(upper_layer.message(1, self._command, self._said, 16_384))

    def answer(self) -> None:
        try:
            reply, _data = self._modality.message()
        except (Closed, OSError) as fault:
            raise Dead from fault
        assert reply.status in (0, DONE_BEFORE[self._field]), f"{self.name}: status {reply.status:#06x}"
        self._modality.socket.close()


def begun(who: Child, study: str) -> Dataset:
    """PS3.4 F.7.2.1."""
    scheduled, said = Dataset(), Dataset()
    scheduled.StudyInstanceUID = study
    said.SpecificCharacterSet = "ISO_IR 192"
    said.ScheduledStepAttributesSequence = [scheduled]
    said.PatientName, said.PatientID = f"{who.family}^{who.given}", who.number
    said.PerformedStationAETitle, said.Modality = "RADIO1", "DX"
    said.PerformedProcedureStepStartDate, said.PerformedProcedureStepStartTime = "20261124", "083000"
    said.PerformedProcedureStepStatus = "IN PROGRESS"
    return said


def ended() -> Dataset:
    """PS3.4 F.7.2.2."""
    said = Dataset()
    said.PerformedProcedureStepStatus = "COMPLETED"
    said.PerformedProcedureStepEndDate, said.PerformedProcedureStepEndTime = "20261124", "084500"
    return said
