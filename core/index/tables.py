"""The tables, and the one list of which of them the second building holds.

State columns (`step.status`, `report_status`, `delivery_status`) are caches of the fold of `step_event`.
Files are named by keys of our own; `path` is relative to the data folder.
"""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BlobField,
    BooleanField,
    DatabaseProxy,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from core.index.fields import DayField, ListField, MomentField

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


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


# People and places


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
    conflict_is_success = BooleanField(default=False)
    active = BooleanField(default=True)


class DeviceSeen(Table):
    """When a device last answered, sent or asked."""

    key = TextField(primary_key=True)
    last_echo_at = MomentField(null=True)
    last_echo_ok = BooleanField(null=True)
    last_echo_ms = FloatField(null=True)
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


# Patients and orders


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


class ImagingServiceRequest(Table):
    id = AutoField()
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id")
    accession_number = TextField(unique=True)
    foreign_accession = TextField(default="", index=True)
    placer_number = TextField(default="", index=True)
    placer_authority = TextField(default="")
    filler_number = TextField(default="")
    source = TextField()  # hl7, reception, kiosk, images, import
    sender = TextField(default="")
    prescriber = TextField(default="")
    ward = TextField(default="")
    indication = TextField(default="")
    urgency = TextField(default="N")
    comment = TextField(default="")
    visit_number = TextField(default="")
    requested_at = MomentField()
    told_at = MomentField(null=True)


class OrderTombstone(Table):
    """A cancellation that came before its order: the order will be born cancelled."""

    id = AutoField()
    placer_number = TextField()
    placer_authority = TextField()
    at = MomentField()

    class Meta:
        indexes = ((("placer_number", "placer_authority"), True),)


class RequestedProcedure(Table):
    id = AutoField()
    request_id: int
    request = ForeignKeyField(ImagingServiceRequest, object_id_name="request_id")
    procedure_id = TextField(unique=True)
    study_instance_uid = TextField(unique=True)
    exam_code = TextField()
    exam_label = TextField()


class Step(Table):
    """The scheduled procedure step: the exam on every list."""

    id = AutoField()
    procedure_id: int
    procedure = ForeignKeyField(RequestedProcedure, object_id_name="procedure_id")
    patient_id: int
    patient = ForeignKeyField(Patient, object_id_name="patient_id")
    scheduled_step_id = TextField(unique=True)
    exam_code = TextField()
    exam_label = TextField()
    modality = TextField(default="")
    room = TextField(default="")
    station_ae = TextField(default="")
    side = TextField(default="")
    day = DayField()
    scheduled_at = MomentField(null=True)
    duration_min = IntegerField(default=20)
    arrived_at = MomentField(null=True)
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    due_at = MomentField(null=True)
    status = TextField()
    report_status = TextField(default="NOT_DUE")
    delivery_status = TextField(default="NONE")
    vetting = TextField(default="NOT_NEEDED")
    protocol = TextField(default="")
    urgency = TextField(default="N")
    ward = TextField(default="")
    flags = ListField(default=())
    weight_kg = FloatField(null=True)
    expected_images = IntegerField(null=True)
    dose = TextField(default="")
    dose_source = TextField(default="")
    version = IntegerField(default=1)

    class Meta:
        indexes = (
            (("day", "scheduled_at", "id"), False),
            (("patient", "day"), False),
            (("report_status", "due_at"), False),
            (("status", "day"), False),
        )


class StepHistory(Table):
    """Append-only: one row per event of one of the three machines of a step."""

    id = AutoField()
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id", backref="history")
    machine = TextField()  # step, report, delivery
    event = TextField()
    came_from = TextField()
    became = TextField()
    at = MomentField()
    actor = TextField()
    post = TextField(default="")
    origin = TextField(default="")
    reason = TextField(default="")
    source_key = TextField(default="")  # MPPS UID + status, SOP UID, form key


class PerformedStep(Table):
    """MPPS (PS3.4 F.7): the raw data set is kept, merged N-SET after N-SET."""

    id = AutoField()
    sop_instance_uid = TextField(unique=True)
    status = TextField()
    calling_ae = TextField()
    study_instance_uid = TextField(default="")
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    reason = TextField(default="")
    announced = ListField(default=())  # SOP Instance UIDs
    dataset = TextField()  # DICOM JSON
    received_at = MomentField()


class PerformedStepLink(Table):
    id = AutoField()
    performed_id: int
    performed = ForeignKeyField(PerformedStep, object_id_name="performed_id")
    step_id: int
    step = ForeignKeyField(Step, object_id_name="step_id")

    class Meta:
        indexes = ((("performed", "step"), True),)


# Images


class Study(Table):
    """A study of one patient as sent. Counters are derived from the instances, here and at the second building."""

    id = AutoField()
    study_instance_uid = TextField()
    sent_id = TextField(default="")
    sent_issuer = TextField(default="")
    sent_name = TextField(default="")
    sent_birth_date = TextField(default="")
    sent_sex = TextField(default="")
    patient_id: int | None
    patient = ForeignKeyField(Patient, null=True, object_id_name="patient_id")
    step_id: int | None
    step = ForeignKeyField(Step, null=True, object_id_name="step_id", backref="studies")
    match = TextField()
    why = TextField(default="")
    folder = TextField()
    accession_number = TextField(default="", index=True)
    study_id = TextField(default="")
    study_date = TextField(default="")
    study_time = TextField(default="")
    description = TextField(default="")
    referring_physician = TextField(default="")
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

    class Meta:
        indexes = (
            (("study_instance_uid", "sent_id"), True),
            (("study_date", "id"), False),
            (("name_key", "study_date"), False),
        )


STUDY_DERIVED = frozenset({"last_image_at", "series", "instances", "bytes"})


class Series(Table):
    id = AutoField()
    study_id: int
    study = ForeignKeyField(Study, object_id_name="study_id")
    series_instance_uid = TextField()
    modality = TextField(default="")
    number = IntegerField(null=True)
    description = TextField(default="")
    body_part = TextField(default="")
    laterality = TextField(default="")
    station = TextField(default="")
    instances = IntegerField(default=0)

    class Meta:
        indexes = ((("study", "series_instance_uid"), True),)


SERIES_DERIVED = frozenset({"instances"})


class Instance(Table):
    id = AutoField()
    key = TextField(unique=True)
    series_id: int
    series = ForeignKeyField(Series, object_id_name="series_id")
    sop_instance_uid = TextField(unique=True)
    sop_class_uid = TextField()
    transfer_syntax = TextField()
    number = IntegerField(null=True)
    rows = IntegerField(null=True)
    columns = IntegerField(null=True)
    frames = IntegerField(default=1)
    path = TextField()
    size = IntegerField()
    sha256 = TextField()  # of the file
    incomplete = BooleanField(default=False)
    charset_suspect = BooleanField(default=False)
    lane = TextField(default="small")
    calling_ae = TextField(default="")
    address = TextField(default="")
    received_at = MomentField()

    class Meta:
        indexes = ((("series", "number"), False),)


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


# Reports


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
    printed_identity = TextField(default="")

    class Meta:
        indexes = ((("step", "version"), True),)


class ReportDraft(Table):
    step_id: int
    step = ForeignKeyField(Step, primary_key=True, object_id_name="step_id")
    author = TextField()
    text = TextField()
    saved_at = MomentField()


class ReportLock(Table):
    """Who holds the report of an exam, since when it is open, until when."""

    step_id: int
    step = ForeignKeyField(Step, primary_key=True, object_id_name="step_id")
    owner = TextField()
    opened_at = MomentField()
    expires_at = MomentField()


class Viewed(Table):
    """The best quality at which a person really saw a series, for the signer's view."""

    id = AutoField()
    series_id: int
    series = ForeignKeyField(Series, object_id_name="series_id")
    login = TextField()
    quality = TextField()
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


# Messages, outbox, paper


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


# What happened


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


REPLICATED: tuple[type[Table], ...] = (
    Counter,
    Account,
    Room,
    Exam,
    Device,
    HisSender,
    Destination,
    Printer,
    Patient,
    PatientIdentifier,
    MergeRecord,
    Visit,
    ImagingServiceRequest,
    OrderTombstone,
    RequestedProcedure,
    Step,
    StepHistory,
    PerformedStep,
    PerformedStepLink,
    Study,
    Series,
    Instance,
    Quarantine,
    ReportVersion,
    ReportDraft,
    Viewed,
    LateSeen,
    Delivery,
    Inbox,
    Outbox,
    Idempotency,
    Task,
    Audit,
)
"""Tables whose every row change is journalled for the second building, parents before children."""

LOCAL: tuple[type[Table], ...] = (
    Node,
    Session,
    DeviceSeen,
    ReportLock,
    PrintJob,
    Event,
    Journal,
    ReplicaState,
    CallerAttempt,
)
"""Tables that belong to this building alone. Secrets (audit key, storage key) are files in `secrets/`, never rows."""

ALL = REPLICATED + LOCAL

DERIVED: dict[str, frozenset[str]] = {"study": STUDY_DERIVED, "series": SERIES_DERIVED}
"""Columns that each building computes from its own instance rows."""

APPEND_ONLY = (StepHistory, Audit)
"""Tables whose rows nobody may change or delete, by trigger."""
