"""Messages in and out, paper, forms already done, and tasks for people."""

from __future__ import annotations

from peewee import AutoField, BlobField, IntegerField, TextField

from core.index.fields import MomentField
from core.index.tables.base import Table


class Inbox(Table):
    id = AutoField()
    message = BlobField()  # as received
    sha256 = TextField()
    application = TextField(default="")
    facility = TextField(default="")
    control_id = TextField(default="")
    message_type = TextField(default="")
    message_time = TextField(default="")
    peer = TextField(default="")
    sender = TextField(default="")
    state = TextField()
    ack_code = TextField(default="")
    ack_error = TextField(default="")
    ack_location = TextField(default="")
    ack_text = TextField(default="")
    effect = TextField(default="")
    received_at = MomentField()

    class Meta:
        indexes = ((("application", "facility", "control_id"), False),)


class Outbox(Table):
    """Work that leaves the box. Strict order per (destination, lane)."""

    id = AutoField()
    kind = TextField()  # oru
    destination = TextField()
    lane = TextField(default="")  # patient, so that one stuck patient blocks no other
    subject = IntegerField()
    control_id = TextField(unique=True)
    payload = BlobField(null=True)
    state = TextField(default="QUEUED")  # QUEUED SENT ACCEPTED DEAD ABANDONED
    attempts = IntegerField(default=0)
    refusals = IntegerField(default=0)
    next_at = MomentField()
    created_at = MomentField()
    answer = TextField(default="")

    class Meta:
        indexes = ((("state", "kind", "next_at"), False),)


class PrintJob(Table):
    id = AutoField()
    idempotency_key = TextField(unique=True)
    printer = TextField()
    paper = TextField()
    title = TextField()
    patient = TextField(default="")
    step_id = IntegerField(null=True)
    payload = TextField()
    payload_sha256 = TextField()
    mime = TextField()
    copies = IntegerField(default=1)
    pages = IntegerField(default=1)
    state = TextField(default="queued")
    attempts = IntegerField(default=0)
    remote_job_id = IntegerField(null=True)
    reason = TextField(default="")
    actor = TextField(default="")
    created_at = MomentField()
    next_at = MomentField(null=True)

    class Meta:
        indexes = ((("printer", "state", "id"), False),)


class Idempotency(Table):
    """A form or call that was already done, and what it made."""

    key = TextField(primary_key=True)
    result = TextField()
    at = MomentField()


class Task(Table):
    """Something a person must look at, with one French line."""

    id = AutoField()
    kind = TextField()
    step_id = IntegerField(null=True)
    patient_id = IntegerField(null=True)
    study_id = IntegerField(null=True)
    text = TextField()
    role = TextField(default="")
    created_at = MomentField()
    done_at = MomentField(null=True)
    done_by = TextField(default="")
