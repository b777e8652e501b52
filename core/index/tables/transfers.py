"""Where studies go by themselves, and what is still on its way."""

from __future__ import annotations

from peewee import AutoField, BooleanField, IntegerField, TextField

from core.index.fields import ListField, MomentField
from core.index.tables.base import Table


class RouteRow(Table):
    """Every new study of this modality from this machine goes to that one; "" is any."""

    id = AutoField()
    source = TextField(default="")  # AE title
    modality = TextField(default="")
    destination = TextField()  # AE title
    active = BooleanField(default=True)

    class Meta:
        table_name = "route"
        indexes = ((("source", "modality", "destination"), True),)


class TransferRow(Table):
    """The instances above `above` and up to `upto` of a study, for one machine. failed: those to be tried again."""

    id = AutoField()
    study_id = IntegerField()
    destination = TextField()
    above = IntegerField(default=0)
    upto = IntegerField(default=0)
    state = TextField(default="WAITING")  # WAITING (not stable yet) QUEUED SENDING DONE DEAD ABANDONED
    failed = ListField(default=())
    sent = IntegerField(default=0)
    attempts = IntegerField(default=0)
    why = TextField(default="")
    created_at = MomentField()
    next_at = MomentField()

    class Meta:
        table_name = "transfer"
        indexes = ((("state", "next_at"), False), (("study_id", "destination"), False))
