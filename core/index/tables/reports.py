"""Report versions, drafts, locks, what the signer saw, and deliveries."""

from __future__ import annotations

from peewee import AutoField, BooleanField, ForeignKeyField, IntegerField, TextField

from core.index.fields import MomentField
from core.index.tables.base import Table
from core.index.tables.images import Instance, Series
from core.index.tables.orders import Step


class ReportVersion(Table):
    id = AutoField()
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id")
    version = IntegerField()
    type = TextField()
    state = TextField()
    author = TextField()
    author_name = TextField(default="")
    signer = TextField(default="")
    signer_name = TextField(default="")
    text = TextField()
    sha256 = TextField()
    at = MomentField()
    discordance = TextField(default="")
    critical = BooleanField(default=False)
    signer_view = TextField(default="")
    reason = TextField(default="")
    newest_image = IntegerField(default=0)  # id of the newest image of the archive that these words may know

    class Meta:
        indexes = ((("step", "version"), True),)


class ReportDraft(Table):
    step_id: int
    step = ForeignKeyField(Step, primary_key=True, object_id_name="step_id")
    author = TextField()
    text = TextField()
    saved_at = MomentField()
    newest_image = IntegerField(default=0)  # as when the words were begun: images after it are late


class ReportLock(Table):
    """Who holds the report of an exam, since when it is open, until when."""

    step_id: int
    step = ForeignKeyField(Step, primary_key=True, object_id_name="step_id")
    owner = TextField()
    opened_at = MomentField()
    expires_at = MomentField()
    newest_image = IntegerField(default=0)  # images after it came under the owner's hands


class Viewed(Table):
    """Which pictures of a series a person really saw, and at what quality at best, for the signer's view."""

    id = AutoField()
    series_id: int
    series = ForeignKeyField(Series, object_id_name="series_id")
    login = TextField()
    quality = TextField()
    pictures = TextField(default="")  # hexadecimal, a bit for each frame in the order in which they were received
    at = MomentField()

    class Meta:
        indexes = ((("series", "login"), True),)


class LateSeen(Table):
    """A late image that the signer opened or acknowledged."""

    id = AutoField()
    instance_id: int
    instance = ForeignKeyField(Instance, object_id_name="instance_id")
    login = TextField()
    at = MomentField()

    class Meta:
        indexes = ((("instance", "login"), True),)


class Delivery(Table):
    """One row per report version and destination."""

    id = AutoField()
    version_id: int
    version = ForeignKeyField(ReportVersion, object_id_name="version_id")
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id")
    kind = TextField()  # hl7, kiosk, hand, paper
    destination = TextField()
    mandatory = BooleanField(default=True)
    state = TextField()  # QUEUED SENT ACCEPTED REFUSED DEAD READ HANDED ABANDONED SUPERSEDED WITHDRAWN
    at = MomentField()
    who = TextField(default="")
