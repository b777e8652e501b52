"""Patients, their numbers, their merges and their visits."""

from __future__ import annotations

from peewee import AutoField, BooleanField, ForeignKeyField, IntegerField, TextField

from core.index.fields import DayField, MomentField
from core.index.tables.base import Table


class Patient(Table):
    id = AutoField()
    number = TextField(index=True)
    family_name = TextField()
    given_names = TextField(default="")
    usual_name = TextField(default="")
    name_key = TextField(index=True)
    sound_key = TextField(index=True)
    sex = TextField(default="")
    birth_earliest = DayField(null=True)
    birth_latest = DayField(null=True)
    birth_precision = TextField(default="?")
    mother_family_name = TextField(default="")
    mother_given_names = TextField(default="")
    mother_number = TextField(default="")
    birth_order = IntegerField(null=True)
    phone = TextField(default="")
    phone_key = TextField(default="", index=True)
    address = TextField(default="")
    national_id = TextField(default="")
    ward = TextField(default="")
    provisional = BooleanField(default=False)
    deceased_on = DayField(null=True)
    merged_into_id: int | None
    merged_into = ForeignKeyField("self", null=True, object_id_name="merged_into_id")
    told_at = MomentField(null=True)  # EVN-2 of the newest demographics applied
    created_at = MomentField()


class PatientIdentifier(Table):
    id = AutoField()
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id", backref="identifiers")
    value = TextField()
    authority = TextField()
    kind = TextField(default="PI")

    class Meta:
        indexes = ((("value", "authority"), True),)


class MergeRecord(Table):
    """Everything a merge moved, so that it can be undone."""

    id = AutoField()
    prior_id: int
    prior = ForeignKeyField(Patient, object_id_name="prior_id")
    survivor_id: int
    survivor = ForeignKeyField(Patient, object_id_name="survivor_id")
    at = MomentField()
    actor = TextField()
    reason = TextField()
    moved = TextField()  # JSON {table: [ids]}
    undone_at = MomentField(null=True)


class Visit(Table):
    id = AutoField()
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id")
    number = TextField()
    patient_class = TextField(default="")
    ward = TextField(default="")
    room = TextField(default="")
    bed = TextField(default="")
    opened_at = MomentField()
    closed_at = MomentField(null=True)

    class Meta:
        indexes = ((("patient", "number"), True),)
