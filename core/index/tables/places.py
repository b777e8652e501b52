"""The box itself, its people, rooms, catalogue, machines and neighbours."""

from __future__ import annotations

from peewee import AutoField, BooleanField, FloatField, IntegerField, TextField

from core.index.fields import ListField, MomentField
from core.index.tables.base import Table


class Node(Table):
    """One row: which building this is, in which epoch, in which role, and its counters."""

    id = AutoField()
    role = TextField(default="primary")  # primary, replica
    epoch = IntegerField(default=1)
    created_at = MomentField()
    audit_genesis = TextField(default="")


class Counter(Table):
    """Numbers that are issued once for ever: accessions by year, patient numbers, control ids."""

    name = TextField(primary_key=True)
    value = IntegerField(default=0)


class Account(Table):
    login = TextField(primary_key=True)
    full_name = TextField(default="")
    roles = ListField(default=())
    ward = TextField(default="")
    password = TextField()
    pin = TextField(default="")
    active = BooleanField(default=True)
    pin_faults = IntegerField(default=0)


class Session(Table):
    """A person at a browser. `token` is the SHA-256 of what the cookie holds."""

    token = TextField(primary_key=True)
    login = TextField()
    origin = TextField(default="")
    post = TextField(default="")
    opened_at = MomentField()
    active_at = MomentField()


class Room(Table):
    code = TextField(primary_key=True)
    label = TextField(default="")
    modality = TextField(default="")
    ae_titles = ListField(default=())
    opens = TextField(default="07:00")
    closes = TextField(default="18:00")
    capacity = IntegerField(default=1)
    visible_from = TextField(default="scheduled")
    without_appointment = BooleanField(default=False)


class Exam(Table):
    code = TextField(primary_key=True)
    label = TextField()
    label_key = TextField(index=True)
    modality = TextField()
    rooms = ListField(default=())
    duration_min = IntegerField(default=20)
    preparation = TextField(default="")
    report_template = TextField(default="")
    needs_vetting = BooleanField(default=False)
    needs_side = BooleanField(default=False)
    contrast_possible = BooleanField(default=False)
    report_policy = TextField(default="report")
    tariff_fcfa = IntegerField(default=0)
    ccam = TextField(default="")


class Device(Table):
    key = TextField(primary_key=True)
    ae_title = TextField()
    host = TextField(default="")
    port = IntegerField(default=0)
    role = TextField(default="modality")
    addresses = ListField(default=())
    room = TextField(default="")
    modality = TextField(default="")
    charset = TextField(default="ISO_IR 100")
    all_rooms = BooleanField(default=False)
    cr_is_dx = BooleanField(default=False)
    worklist_window_days = IntegerField(default=1)
    find_limit = IntegerField(default=500)
    when_cut = TextField(default="failure")
    conflict_is_success = BooleanField(default=False)
    commit_host = TextField(default="")
    commit_port = IntegerField(default=0)
    active = BooleanField(default=True)
    tls = BooleanField(default=False)
    certificate = TextField(default="")
    prefetch = BooleanField(default=False)
    identity = TextField(default="")
    receives_charset = TextField(default="")
    uncompressed = BooleanField(default=False)
    pledges = BooleanField(default=False)


class DeviceSeen(Table):
    """When a device last answered, sent or asked."""

    key = TextField(primary_key=True)
    last_echo_at = MomentField(null=True)
    last_echo_ok = BooleanField(null=True)
    last_echo_ms = FloatField(null=True)
    last_call_at = MomentField(null=True)
    last_store_at = MomentField(null=True)
    last_query_at = MomentField(null=True)


class HisSender(Table):
    name = TextField(primary_key=True)
    addresses = ListField(default=())
    application = TextField(default="")
    facility = TextField(default="")
    authority = TextField(default="")
    may_merge = BooleanField(default=True)
    fallback_charset = TextField(default="cp1252")
    default_version = TextField(default="2.3.1")
    active = BooleanField(default=True)
    events = ListField(default=())
    sexes = ListField(default=())
    charset_terms = ListField(default=())
    strict_charset = BooleanField(default=False)
    legacy_merge = BooleanField(default=False)
    local_code = BooleanField(default=False)
    enhanced = BooleanField(default=False)
    frame_seconds = IntegerField(default=30)
    idle_seconds = IntegerField(default=60)


class Destination(Table):
    name = TextField(primary_key=True)
    host = TextField()
    port = IntegerField()
    application = TextField(default="HIS")
    facility = TextField(default="HOPITAL")
    version = TextField(default="2.5")
    charset = TextField(default="UNICODE UTF-8")
    takes_preliminary = BooleanField(default=True)
    active = BooleanField(default=True)


class Printer(Table):
    name = TextField(primary_key=True)
    kind = TextField()
    uri = TextField()
    takes = TextField(default="pdf")
    active = BooleanField(default=True)
    state = TextField(default="")
    state_at = MomentField(null=True)
