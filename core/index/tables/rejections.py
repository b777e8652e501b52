"""Images that were rejected: by which note, why, by whom, and whether somebody took it back."""

from __future__ import annotations

from peewee import AutoField, ForeignKeyField, IntegerField, TextField

from core.index.fields import MomentField
from core.index.tables.base import Table


class Rejection(Table):
    """A note that took effect. note_uid: SOP Instance UID of its document, which lies in the archive."""

    id = AutoField()
    note_uid = TextField(unique=True)
    title = TextField()
    study_instance_uid = TextField(default="", index=True)
    actor = TextField()
    origin = TextField(default="")
    reason = TextField(default="")
    at = MomentField()
    undone_at = MomentField(null=True)
    undone_by = TextField(default="")
    undone_why = TextField(default="")

    class Meta:
        indexes = ((("title", "at"), False),)


class RejectedInstance(Table):
    """An image that a note names. series_id: where it hung here, and hangs again if the note is taken back."""

    id = AutoField()
    rejection_id: int
    rejection = ForeignKeyField(Rejection, object_id_name="rejection_id")
    sop_instance_uid = TextField(index=True)
    series_id = IntegerField(null=True)
    restored_at = MomentField(null=True)  # the machine sent it again, and the title allows it
