"""Studies, series and instances as received, and what waits in quarantine."""

from __future__ import annotations

from peewee import AutoField, BooleanField, FloatField, ForeignKeyField, IntegerField, TextField

from core.index.fields import ListField, MomentField
from core.index.tables.base import Table
from core.index.tables.orders import Step
from core.index.tables.patients import Patient


class Study(Table):
    """A study of one patient as sent. Counters are derived from the instances, here and at the second building."""

    id = AutoField()
    study_instance_uid = TextField()
    sent_id = TextField(default="")
    sent_issuer = TextField(default="")
    sent_name = TextField(default="")
    sent_birth_date = TextField(default="")
    sent_sex = TextField(default="")
    also_sent = ListField(default=())  # other spellings of the patient that came under the same number
    sent_age = TextField(default="")  # AS, at the exam
    sent_weight = FloatField(null=True)  # kg
    patient_id: int | None
    patient = ForeignKeyField(Patient, null=True, object_id_name="patient_id")
    step_id: int | None
    step = ForeignKeyField(Step, null=True, object_id_name="step_id", backref="studies")
    # The exam that the object named although its identity is another's: a person must look.
    suspect_step_id = IntegerField(null=True, index=True)
    match = TextField(index=True)
    why = TextField(default="")
    folder = TextField()
    accession_number = TextField(default="", index=True)
    study_id = TextField(default="")
    study_date = TextField(default="")
    study_time = TextField(default="")
    description = TextField(default="")
    referring_physician = TextField(default="")
    referring_key = TextField(default="")  # folded
    institution = TextField(default="")
    modalities = ListField(default=())
    number = TextField(default="", index=True)  # current patient number, else as sent
    name_key = TextField(default="")  # of the current patient, else as sent
    name = TextField(default="")  # PN
    birth_date = TextField(default="")
    sex = TextField(default="")
    device = TextField(default="")
    incomplete = BooleanField(default=False)
    received_at = MomentField()
    last_image_at = MomentField(null=True)
    series = IntegerField(default=0)
    instances = IntegerField(default=0)
    bytes = IntegerField(default=0)
    committed = IntegerField(default=0)  # of its images, those that a machine was told are safe

    class Meta:
        indexes = (
            (("study_instance_uid", "sent_id"), True),
            (("study_date", "id"), False),
            (("name_key", "study_date"), False),
        )


class Series(Table):
    id = AutoField()
    study_id: int
    study = ForeignKeyField(Study, object_id_name="study_id", index=False)
    series_instance_uid = TextField(index=True)
    modality = TextField(default="")
    number = IntegerField(null=True)
    description = TextField(default="")
    series_date = TextField(default="")
    series_time = TextField(default="")
    protocol = TextField(default="")
    body_part = TextField(default="")
    laterality = TextField(default="")
    station = TextField(default="")
    instances = IntegerField(default=0)

    class Meta:
        indexes = ((("study", "series_instance_uid"), True),)


class Instance(Table):
    id = AutoField()
    key = TextField(unique=True)
    series_id: int | None
    # None: rejected, or a rejection note. Whoever comes through a series does not meet it.
    series = ForeignKeyField(Series, null=True, object_id_name="series_id", index=False)
    sop_instance_uid = TextField(unique=True)
    sop_class_uid = TextField()
    transfer_syntax = TextField()
    number = IntegerField(null=True)
    rows = IntegerField(null=True)
    columns = IntegerField(null=True)
    frames = IntegerField(default=1)
    image_type = TextField(default="")
    content_date = TextField(default="")
    content_time = TextField(default="")
    created_date = TextField(default="")
    created_time = TextField(default="")
    path = TextField()
    size = IntegerField()
    sha256 = TextField()  # of the file
    incomplete = BooleanField(default=False)
    charset_suspect = BooleanField(default=False)
    lane = TextField(default="small")
    calling_ae = TextField(default="")
    address = TextField(default="")
    received_at = MomentField()
    damaged_at = MomentField(null=True)  # since when its file here is known to be altered or lost

    class Meta:
        indexes = ((("series", "number"), False),)


class Original(Table):
    """What an image was before its file was compressed without loss: to know a resend, and until its file may go.

    file: its path, which is not `path`: it is no longer shipped. after_seq: the journal row that ships the new file;
    once the second building has it, the original may go. removed_at: the tombstone; then its file goes there too.
    """

    id = AutoField()
    instance_id: int
    instance = ForeignKeyField(Instance, object_id_name="instance_id")
    transfer_syntax = TextField()
    dataset_sha256 = TextField()
    file = TextField()
    bytes = IntegerField()
    digest = TextField()  # SHA-256 of the file
    lane = TextField()
    after_seq = IntegerField()
    superseded_at = MomentField()
    removed_at = MomentField(null=True)

    class Meta:
        indexes = ((("removed_at", "superseded_at"), False),)


class Compression(Table):
    """How far a study has been looked at for lossless compression, here; made anew from the files when it is lost.

    instances: how many images it had when all had been looked at, 0 while that goes on. gained: bytes. The row of study
    0 holds the sums.
    """

    study_id = IntegerField(primary_key=True)
    instances = IntegerField(default=0)
    files = IntegerField(default=0)
    gained = IntegerField(default=0)
    kept = IntegerField(default=0)


class Quarantine(Table):
    id = AutoField()
    reason = TextField()
    detail = TextField(default="")
    sop_instance_uid = TextField(default="", index=True)
    transfer_syntax = TextField(default="")
    patient_hint = TextField(default="")
    path = TextField()
    size = IntegerField()
    sha256 = TextField()
    calling_ae = TextField(default="")
    address = TextField(default="")
    received_at = MomentField()
    settled_at = MomentField(null=True)
    settled_by = TextField(default="")
    settled_how = TextField(default="")


STUDY_DERIVED = frozenset({"last_image_at", "series", "instances", "bytes"})
SERIES_DERIVED = frozenset({"instances"})
INSTANCE_DERIVED = frozenset({"damaged_at"})
