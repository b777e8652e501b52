"""The tables, and the one list of which of them the second building holds.

State columns (`step.status`, `report_status`, `delivery_status`) are caches of the fold of `step_event`.
Files are named by keys of our own; `path` is relative to the data folder.
"""

from __future__ import annotations

from core.index.tables.base import Table, database
from core.index.tables.commitments import CommitmentRow, PledgeRow, ToldSafe
from core.index.tables.fetching import Fetch
from core.index.tables.happened import (
    Audit,
    CallerAttempt,
    DeviceContact,
    Event,
    Journal,
    ReplicaState,
    StateCount,
)
from core.index.tables.images import (
    INSTANCE_DERIVED,
    SERIES_DERIVED,
    STUDY_DERIVED,
    Compression,
    Instance,
    Original,
    Quarantine,
    Series,
    Study,
)
from core.index.tables.messages import Idempotency, Inbox, Outbox, PrintJob, Task
from core.index.tables.orders import (
    ImagingServiceRequest,
    OrderTombstone,
    PerformedStep,
    PerformedStepLink,
    RequestedProcedure,
    Step,
    StepHistory,
)
from core.index.tables.patients import MergeRecord, Patient, PatientIdentifier, Visit
from core.index.tables.places import (
    Account,
    Counter,
    Destination,
    Device,
    DeviceSeen,
    Exam,
    HisSender,
    Node,
    Printer,
    Room,
    Session,
)
from core.index.tables.rejections import RejectedInstance, Rejection
from core.index.tables.reports import Delivery, LateSeen, ReportDraft, ReportLock, ReportVersion, Viewed
from core.index.tables.transfers import RouteRow, TransferRow

__all__ = [
    "ALL",
    "APPEND_ONLY",
    "DERIVED",
    "LOCAL",
    "REPLICATED",
    "Account",
    "Audit",
    "CallerAttempt",
    "CommitmentRow",
    "Compression",
    "Counter",
    "Delivery",
    "Destination",
    "Device",
    "DeviceContact",
    "DeviceSeen",
    "Event",
    "Exam",
    "Fetch",
    "HisSender",
    "Idempotency",
    "ImagingServiceRequest",
    "Inbox",
    "Instance",
    "Journal",
    "LateSeen",
    "MergeRecord",
    "Node",
    "OrderTombstone",
    "Original",
    "Outbox",
    "Patient",
    "PatientIdentifier",
    "PerformedStep",
    "PerformedStepLink",
    "PledgeRow",
    "PrintJob",
    "Printer",
    "Quarantine",
    "RejectedInstance",
    "Rejection",
    "ReplicaState",
    "ReportDraft",
    "ReportLock",
    "ReportVersion",
    "RequestedProcedure",
    "Room",
    "RouteRow",
    "Series",
    "Session",
    "StateCount",
    "Step",
    "StepHistory",
    "Study",
    "Table",
    "Task",
    "ToldSafe",
    "TransferRow",
    "Viewed",
    "Visit",
    "database",
]

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
    Original,
    Quarantine,
    CommitmentRow,
    PledgeRow,
    RouteRow,
    TransferRow,
    Rejection,
    RejectedInstance,
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
    Compression,
    Session,
    DeviceSeen,
    ReportLock,
    Fetch,
    ToldSafe,
    PrintJob,
    Event,
    Journal,
    ReplicaState,
    CallerAttempt,
    StateCount,
    DeviceContact,
)
"""Tables that belong to this building alone. Secrets (audit key, storage key) are files in `secrets/`, never rows."""

ALL = REPLICATED + LOCAL

DERIVED: dict[str, frozenset[str]] = {
    "study": STUDY_DERIVED,
    "series": SERIES_DERIVED,
    "instance": INSTANCE_DERIVED,
}
"""Columns that each building computes from its own instance rows and files."""

APPEND_ONLY = (StepHistory, Audit)
"""Tables whose rows nobody may change or delete, by trigger."""
