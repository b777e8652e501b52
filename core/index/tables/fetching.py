"""What another archive still has to send us. Of this building alone: the other one gets the images themselves."""

from __future__ import annotations

from peewee import AutoField, IntegerField, TextField

from core.index.fields import MomentField
from core.index.tables.base import Table


class Fetch(Table):
    id = AutoField()
    device = TextField()  # key of the device
    study_instance_uid = TextField()
    reason = TextField()
    patient_id = TextField(default="")
    study_date = TextField(default="")
    expected = IntegerField(null=True)
    held = IntegerField(default=0)
    state = TextField()
    attempts = IntegerField(default=0)
    next_at = MomentField()
    answer = TextField(default="")

    class Meta:
        indexes = ((("device", "study_instance_uid"), True), (("state", "next_at"), False))
