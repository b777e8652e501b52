"""What happened: the audit chain, events for screens, the journal for the second building, strangers."""

from __future__ import annotations

from peewee import SQL, AutoField, BooleanField, CompositeKey, IntegerField, TextField

from core.index.fields import ListField, MomentField
from core.index.tables.base import Table


class Audit(Table):
    """An HMAC chain: each row's mac covers the row and the mac before it."""

    seq = IntegerField(primary_key=True)
    at = TextField()
    actor = TextField()
    post = TextField()
    origin = TextField()
    action = TextField()
    object = TextField()
    patient_id = IntegerField(null=True, index=True)
    outcome = TextField()
    detail = TextField()
    mac = TextField()


class Event(Table):
    """What changed, for the screens: pushed after COMMIT, resumable by id."""

    id = AutoField()
    topic = TextField()
    key = TextField(default="")

    class Meta:
        constraints = [SQL("CHECK (topic <> '')")]
        indexes = ((("topic", "id"), False),)


class Journal(Table):
    """What the second building must learn, in order; written by triggers for every replicated table."""

    seq = AutoField()
    epoch = IntegerField()
    lane = TextField()
    tbl = TextField()
    op = TextField()  # put, del
    schema_version = IntegerField()
    row = TextField()
    path = TextField(null=True)
    size = IntegerField(null=True)
    sha256 = TextField(null=True)

    class Meta:
        indexes = ((("lane", "seq"), False),)


class ReplicaState(Table):
    """On the primary: what each lane of the second building acknowledged. On the replica: what it applied."""

    lane = TextField(primary_key=True)
    epoch = IntegerField(default=1)
    seq = IntegerField(default=0)
    at = MomentField(null=True)


class CallerAttempt(Table):
    """Associations and connections that were refused or came from unknown machines, newest kept."""

    id = AutoField()
    door = TextField()
    ae_title = TextField(default="")
    address = TextField()
    result = TextField()
    times = IntegerField(default=1)
    at = MomentField()

    class Meta:
        indexes = ((("door", "ae_title", "address", "result"), True),)


class StateCount(Table):
    """How many rows of a queue are in each state; written by triggers."""

    tbl = TextField()
    state = TextField()
    n = IntegerField()

    class Meta:
        primary_key = CompositeKey("tbl", "state")


class DeviceContact(Table):
    """An association attempt or a worklist query of a machine, the last ones of each title."""

    id = AutoField()
    key = TextField()  # the calling title, folded
    kind = TextField()  # association, query
    at = MomentField()
    calling = TextField()
    called = TextField(default="")
    address = TextField(default="")
    result = TextField(default="")
    worklist = TextField(default="")
    keys = ListField(default=())
    received = TextField(default="")
    answers = IntegerField(default=0)
    limited = BooleanField(default=False)
    steps = ListField(default=())
    asked = TextField(default="")

    class Meta:
        indexes = ((("key", "kind", "id"), False), (("address", "id"), False))
