"""What may be said on the socket: every call as a typed value that knows its method and what it gives back.

Both ends share this file; it holds no rule. `core.rpc.verbs` says what the server does for each call.
A new call: a class here, a line in `core.rpc.verbs`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Generic, TypeVar, get_args

import msgspec

from core.model.device import Device
from core.model.order import Exam, OrderDraft, Room, Slot
from core.model.patient import Candidate, Demographics, Patient
from core.model.people import Role, User
from core.model.printing import Printer, PrintJob
from core.model.query import DayFilter, DayPage
from core.model.rejection import RejectionLine, RepeatRate, Title
from core.model.study import InstanceLine, SeriesLine, StudyLine
from core.model.why import Relax, Why
from core.model.worklist import ExamLine

R = TypeVar("R")

PROTOCOL = "1.0"  # another major version is refused


def major(protocol: str) -> str:
    return protocol.partition(".")[0]


class Call(msgspec.Struct, Generic[R], frozen=True, forbid_unknown_fields=True):
    """A method with its named parameters. `R` is what the answer holds."""

    method: ClassVar[str] = ""


def gives(call: type[Call[Any]]) -> Any:
    """The type of the answer."""
    return get_args(call.__orig_bases__[0])[0]  # type: ignore[attr-defined]


class Change(msgspec.Struct, frozen=True):
    """A push, and a line of the missed ones: row `key` of a topic changed. `id` only grows."""

    id: int
    topic: str
    key: str = ""


EVENT = "event"  # notification holding a Change
RELOAD = "reload"  # notification: pushes were dropped, read again what is shown


# The connection itself: these need no login.


class Welcome(msgspec.Struct, frozen=True):
    protocol: str
    version: str
    hospital: str
    timezone: str
    language: str
    patient_prefix: str
    now: datetime
    last_event: int


class Person(msgspec.Struct, frozen=True):
    """Who is logged in on this connection. `token` lets the same terminal come back after the core restarted.

    idle_s: seconds without a key after which the terminal locks itself; 0 = never.
    """

    name: str
    full_name: str
    roles: frozenset[Role]
    token: str
    ward: str = ""
    idle_s: float = 0.0


class Missed(msgspec.Struct, frozen=True):
    """Changes since an event id; `reload` when they are too old or too many to list."""

    events: tuple[Change, ...]
    reload: bool
    last_event: int


class Hello(Call[Welcome], frozen=True):
    """The first line of every connection."""

    method: ClassVar[str] = "hello"
    protocol: str = PROTOCOL
    post: str = ""
    columns: int = 0
    rows: int = 0


class Login(Call[Person], frozen=True):
    method: ClassVar[str] = "login"
    name: str
    password: str


class LoginAsOwner(Call[Person], frozen=True):
    """For commands on the box: the kernel says that the caller is root or the user who owns the data."""

    method: ClassVar[str] = "login_as_owner"


class Resume(Call[Person], frozen=True):
    method: ClassVar[str] = "resume"
    token: str
    locked: bool = False


class Lock(Call[None], frozen=True):
    """Nothing but `unlock`, `login` and `logout` is answered until then."""

    method: ClassVar[str] = "lock"


class Unlock(Call[Person], frozen=True):
    method: ClassVar[str] = "unlock"
    secret: str


class Logout(Call[None], frozen=True):
    method: ClassVar[str] = "logout"


class Watch(Call[Missed], frozen=True):
    """From now on only changes of these topics are pushed. since: last event id seen, 0 = none yet."""

    method: ClassVar[str] = "watch"
    topics: tuple[str, ...]
    since: int = 0


# The day.


class GetDayPage(Call[DayPage], frozen=True):
    method: ClassVar[str] = "scheduling.day_page"
    filter: DayFilter
    top: int
    count: int


class GetLine(Call[ExamLine], frozen=True):
    method: ClassVar[str] = "scheduling.line"
    step_id: int


class Arrive(Call[None], frozen=True):
    method: ClassVar[str] = "scheduling.arrive"
    step_id: int
    identity_confirmed: bool = True
    idempotency_key: str = ""


class UndoArrival(Call[None], frozen=True):
    method: ClassVar[str] = "scheduling.undo_arrival"
    step_id: int
    reason: str


class Cancel(Call[None], frozen=True):
    method: ClassVar[str] = "scheduling.cancel"
    step_id: int
    reason: str


class NoShow(Call[None], frozen=True):
    method: ClassVar[str] = "scheduling.no_show"
    step_id: int


class StepEntry(msgspec.Struct, frozen=True):
    """A row of an exam's history: who did what, when, and what it became."""

    at: datetime
    machine: str  # step, report, delivery
    event: str
    became: str
    actor: str
    post: str = ""
    reason: str = ""


class GetHistory(Call[tuple[StepEntry, ...]], frozen=True):
    method: ClassVar[str] = "scheduling.history"
    step_id: int


# Patients.


class SearchPatients(Call[tuple[Patient, ...]], frozen=True):
    method: ClassVar[str] = "patients.search"
    text: str
    limit: int = 50


class ProposePatients(Call[tuple[Candidate, ...]], frozen=True):
    method: ClassVar[str] = "patients.propose"
    demographics: Demographics
    limit: int = 8


class GetPatient(Call[Patient], frozen=True):
    method: ClassVar[str] = "patients.get"
    patient_id: int


class Register(Call[Patient], frozen=True):
    method: ClassVar[str] = "patients.register"
    demographics: Demographics
    reason: str = ""
    idempotency_key: str = ""


class RegisterUnknown(Call[Patient], frozen=True):
    method: ClassVar[str] = "patients.register_unknown"
    sex: str = ""


class PatientExams(Call[tuple[ExamLine, ...]], frozen=True):
    method: ClassVar[str] = "patients.exams"
    patient_id: int


# Orders.


class Catalogue(Call[tuple[Exam, ...]], frozen=True):
    method: ClassVar[str] = "orders.catalogue"


class Rooms(Call[tuple[Room, ...]], frozen=True):
    method: ClassVar[str] = "orders.rooms"


class FindExams(Call[tuple[Exam, ...]], frozen=True):
    method: ClassVar[str] = "orders.find_exams"
    text: str


class GetSlots(Call[tuple[Slot, ...]], frozen=True):
    method: ClassVar[str] = "orders.slots"
    room: str
    day: date
    exam_code: str = ""
    urgency: str = "N"


class PlaceOrder(Call[ExamLine], frozen=True):
    method: ClassVar[str] = "orders.place"
    draft: OrderDraft


class OrderWarnings(Call[tuple[str, ...]], frozen=True):
    method: ClassVar[str] = "orders.warnings"
    draft: OrderDraft


# The room.


class Start(Call[None], frozen=True):
    method: ClassVar[str] = "acquisition.start"
    step_id: int


class Complete(Call[None], frozen=True):
    method: ClassVar[str] = "acquisition.complete"
    step_id: int
    dose: str = ""  # as typed, with its unit: « PDL 301 mGy.cm »
    expected_images: int | None = None


class Discontinue(Call[None], frozen=True):
    method: ClassVar[str] = "acquisition.discontinue"
    step_id: int
    reason: str


class Verify(Call[None], frozen=True):
    method: ClassVar[str] = "acquisition.verify"
    step_id: int
    reason: str = ""


class Attach(Call[None], frozen=True):
    method: ClassVar[str] = "reconciliation.attach"
    study_id: int
    step_id: int
    reason: str


class KeepAsPrior(Call[None], frozen=True):
    method: ClassVar[str] = "reconciliation.keep_as_prior"
    study_id: int
    patient_id: int
    reason: str


class Unmatched(Call[tuple[StudyLine, ...]], frozen=True):
    method: ClassVar[str] = "reconciliation.unmatched"


class StudiesOf(Call[tuple[StudyLine, ...]], frozen=True):
    method: ClassVar[str] = "studies.of_step"
    step_id: int


class SeriesOf(Call[tuple[SeriesLine, ...]], frozen=True):
    """Open a study: audited."""

    method: ClassVar[str] = "studies.series"
    study_id: int


class ImagesOf(Call[tuple[InstanceLine, ...]], frozen=True):
    method: ClassVar[str] = "studies.instances"
    series_id: int


# Rejection of images, by the keys of `ImagesOf`.


class RejectImages(Call[int], frozen=True):
    """The number of the rejection."""

    method: ClassVar[str] = "rejections.reject"
    keys: tuple[str, ...]
    title: Title
    reason: str


class UndoRejection(Call[None], frozen=True):
    method: ClassVar[str] = "rejections.undo"
    rejection_id: int
    reason: str


class Rejections(Call[tuple[RejectionLine, ...]], frozen=True):
    """Newest first; of one study when it is named."""

    method: ClassVar[str] = "rejections.lines"
    study_id: int | None = None


class RepeatRates(Call[tuple[RepeatRate, ...]], frozen=True):
    method: ClassVar[str] = "rejections.repeat_rate"
    first: date
    last: date


# Paper.


class Printers(Call[tuple[Printer, ...]], frozen=True):
    method: ClassVar[str] = "printing.printers"


class PrintJobs(Call[tuple[PrintJob, ...]], frozen=True):
    method: ClassVar[str] = "printing.jobs"
    limit: int = 200


class RetryJob(Call[None], frozen=True):
    method: ClassVar[str] = "printing.retry"
    job_id: int


class ReprintJob(Call[None], frozen=True):
    method: ClassVar[str] = "printing.reprint"
    job_id: int


class CancelJob(Call[None], frozen=True):
    method: ClassVar[str] = "printing.cancel"
    job_id: int


class DivertJob(Call[None], frozen=True):
    method: ClassVar[str] = "printing.divert"
    job_id: int
    printer: str


class PrintLabel(Call[None], frozen=True):
    method: ClassVar[str] = "paper.print_label"
    step_id: int
    printer: str = ""
    idempotency_key: str = ""


class PrintWristband(Call[None], frozen=True):
    method: ClassVar[str] = "paper.print_wristband"
    step_id: int
    printer: str = ""
    idempotency_key: str = ""


class PrintConvocation(Call[None], frozen=True):
    method: ClassVar[str] = "paper.print_convocation"
    step_id: int
    printer: str = ""
    idempotency_key: str = ""


# The house, for commands on the box.


class SecondBuilding(Call[str], frozen=True):
    """How the copy stands, in one sentence."""

    method: ClassVar[str] = "second_building"


class Status(Call[dict[str, Any]], frozen=True):
    method: ClassVar[str] = "status"


class Verdict(msgspec.Struct, frozen=True):
    ok: bool
    rows: int
    first_broken: int | None = None


class VerifyAudit(Call[Verdict], frozen=True):
    method: ClassVar[str] = "audit.verify"


class Users(Call[tuple[User, ...]], frozen=True):
    method: ClassVar[str] = "people.users"


class AddUser(Call[None], frozen=True):
    method: ClassVar[str] = "people.add_user"
    user: User
    password: str
    pin: str = ""


class RemoveUser(Call[None], frozen=True):
    method: ClassVar[str] = "people.remove_user"
    login: str


class Devices(Call[tuple[Device, ...]], frozen=True):
    method: ClassVar[str] = "devices.all"


class SaveDevice(Call[None], frozen=True):
    method: ClassVar[str] = "devices.save"
    device: Device


class RemoveDevice(Call[None], frozen=True):
    method: ClassVar[str] = "devices.remove"
    ae_title: str


class SavePrinter(Call[None], frozen=True):
    method: ClassVar[str] = "printing.save_printer"
    printer: Printer


# « Pourquoi n'est-il pas sur la machine ? »


class WhyNotThere(Call[tuple[Why, ...]], frozen=True):
    """Why exams of this accession number are not on a machine; "" = on each of them."""

    method: ClassVar[str] = "why.ask"
    accession: str
    ae_title: str = ""


class RelaxMachine(Call[str], frozen=True):
    """Do what one key does about it; what was done, in words."""

    method: ClassVar[str] = "why.relax"
    accession: str
    ae_title: str
    how: Relax
