"""What machines asked us to answer for, and what they were told."""

from __future__ import annotations

from peewee import AutoField, BlobField, IntegerField, TextField

from core.index.fields import ListField, MomentField
from core.index.tables.base import Table


class CommitmentRow(Table):
    """A storage commitment request. images: `class instance` lines, zlib. failed: [uid, reason] pairs."""

    id = AutoField()
    transaction_uid = TextField()
    calling_ae = TextField()
    address = TextField(default="")
    images = BlobField()
    state = TextField(default="WAITING")  # WAITING JUDGED REPORTED ABANDONED
    failed = ListField(default=())
    attempts = IntegerField(default=0)
    answer = TextField(default="")
    requested_at = MomentField()
    next_at = MomentField()
    judged_at = MomentField(null=True)
    reported_at = MomentField(null=True)

    class Meta:
        table_name = "commitment"
        indexes = ((("transaction_uid", "calling_ae"), True), (("state", "next_at"), False))


class PledgeRow(Table):
    """What an archive was asked to answer for, after images were sent to it. failed: what it does not hold."""

    id = AutoField()
    transaction_uid = TextField(unique=True)
    archive = TextField()  # AE title
    study_id = IntegerField(index=True)
    images = BlobField()
    count = IntegerField()
    state = TextField(default="ASK")  # ASK ASKED ANSWERED ABANDONED
    failed = ListField(default=())
    attempts = IntegerField(default=0)
    why = TextField(default="")
    created_at = MomentField()
    next_at = MomentField()
    asked_at = MomentField(null=True)
    answered_at = MomentField(null=True)

    class Meta:
        table_name = "pledge"
        indexes = ((("state", "next_at"), False),)


class ToldSafe(Table):
    """Images that a machine was told are safe; in this building alone, which counts them for their study."""

    instance_id = IntegerField(primary_key=True)
