"""Orders, procedures, the exam on every list with its history, and what machines reported of it."""

from __future__ import annotations

from peewee import AutoField, FloatField, ForeignKeyField, IntegerField, TextField

from core.index.fields import DayField, ListField, MomentField
from core.index.tables.base import Table
from core.index.tables.patients import Patient


class ImagingServiceRequest(Table):
    id = AutoField()
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id")
    accession_number = TextField(unique=True)
    foreign_accession = TextField(default="", index=True)
    placer_number = TextField(default="", index=True)
    placer_authority = TextField(default="")
    filler_number = TextField(default="", index=True)
    source = TextField()  # hl7, reception, kiosk, images, import
    sender = TextField(default="")
    prescriber = TextField(default="")
    ward = TextField(default="")
    indication = TextField(default="")
    urgency = TextField(default="N")
    comment = TextField(default="")
    visit_number = TextField(default="")
    sent_number = TextField(default="")  # the patient's number as a message or a machine gave it
    sent_authority = TextField(default="")
    requested_at = MomentField()
    told_at = MomentField(null=True)


class OrderTombstone(Table):
    """A cancellation that came before its order: the order will be born cancelled."""

    id = AutoField()
    placer_number = TextField()
    placer_authority = TextField()
    at = MomentField()

    class Meta:
        indexes = ((("placer_number", "placer_authority"), True),)


class RequestedProcedure(Table):
    id = AutoField()
    request_id: int
    request = ForeignKeyField(ImagingServiceRequest, object_id_name="request_id")
    procedure_id = TextField(unique=True)
    study_instance_uid = TextField(unique=True)
    exam_code = TextField()
    exam_label = TextField()


class Step(Table):
    """The scheduled procedure step: the exam on every list."""

    id = AutoField()
    procedure_id: int
    procedure = ForeignKeyField(RequestedProcedure, object_id_name="procedure_id")
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id")
    scheduled_step_id = TextField(unique=True)
    exam_code = TextField()
    exam_label = TextField()
    modality = TextField(default="")
    room = TextField(default="")
    station_ae = TextField(default="")
    side = TextField(default="")
    day = DayField()
    scheduled_at = MomentField(null=True)
    duration_min = IntegerField(default=20)
    arrived_at = MomentField(null=True)
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    due_at = MomentField(null=True)
    status = TextField()
    report_status = TextField(default="NOT_DUE")
    delivery_status = TextField(default="NONE")
    vetting = TextField(default="NOT_NEEDED")
    protocol = TextField(default="")
    urgency = TextField(default="N")
    ward = TextField(default="")
    flags = ListField(default=())
    weight_kg = FloatField(null=True)
    expected_images = IntegerField(null=True)
    dose = TextField(default="")
    dose_source = TextField(default="")
    version = IntegerField(default=1)

    class Meta:
        indexes = (
            (("day", "scheduled_at", "id"), False),
            (("patient", "day"), False),
            (("report_status", "status", "due_at"), False),
            (("status", "day"), False),
        )


class StepHistory(Table):
    """Append-only: one row per event of one of the three machines of a step."""

    id = AutoField()
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id", backref="history")
    machine = TextField()  # step, report, delivery
    event = TextField()
    came_from = TextField()
    became = TextField()
    at = MomentField()
    actor = TextField()
    post = TextField(default="")
    origin = TextField(default="")
    reason = TextField(default="")
    source_key = TextField(default="")  # MPPS UID + status, SOP UID, form key


class PerformedStep(Table):
    """MPPS (PS3.4 F.7): the raw data set is kept, merged N-SET after N-SET."""

    id = AutoField()
    sop_instance_uid = TextField(unique=True)
    status = TextField()
    calling_ae = TextField()
    study_instance_uid = TextField(default="")
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    reason = TextField(default="")
    announced = ListField(default=())  # SOP Instance UIDs
    dataset = TextField()  # DICOM JSON
    received_at = MomentField()


class PerformedStepLink(Table):
    id = AutoField()
    performed_id: int
    performed = ForeignKeyField(PerformedStep, object_id_name="performed_id")
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id")

    class Meta:
        indexes = ((("performed", "step"), True),)
