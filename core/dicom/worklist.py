"""Modality Worklist C-FIND: read the keys, ask the schedule, spell the steps.

Source: PS3.4 annex K (attributes: table K.6-1; statuses: K.4.1.1.4); IHE RAD-5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from core.dicom import answers, dataset
from core.dicom.answers import Answer, Column, Nested, code_item, nothing
from core.dicom.charset import Encoder
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.find_keys import read_key
from core.dicom.handlers import Request
from core.dicom.key_ranges import combine, date_range, time_range
from core.dicom.status import OUT_OF_RESOURCES, PENDING, SUCCESS, cut_short
from core.errors import YelenError
from core.model.finding import Kind
from core.model.matching import Key
from core.model.order import WorklistEntry
from core.model.query import WorklistQuery

STEP_SEQUENCE: Final = 0x00400100
SCHEME: Final = "99YELEN"  # the site's own catalogue of exams
LIMIT: Final = 5000  # items; a machine's row may say more
_MOST_BYTES: Final = 4096  # of an identifier that are remembered
_MOST_STEPS: Final = 1000
_MOST_LINES: Final = 64

# Optional keys, matched on what is answered. Never the status: a machine that asks for SCHEDULED wants those who have
# arrived too. Never what nobody here knows, such as the performing physician.
OPTIONAL: Final[dict[int, tuple[str, Kind]]] = {
    0x00080090: ("prescriber", Kind.NAME),
    0x00100021: ("issuer", Kind.TEXT),
    0x00100030: ("birth_date", Kind.DATE),
    0x00100040: ("sex", Kind.TEXT),
    0x00321032: ("prescriber", Kind.NAME),
    0x00321060: ("exam_label", Kind.TEXT),
    0x00380010: ("visit_number", Kind.TEXT),
    0x00380300: ("ward", Kind.TEXT),
    0x00401003: ("priority", Kind.TEXT),
    0x00402016: ("placer_number", Kind.TEXT),
    0x00402017: ("filler_number", Kind.TEXT),
}
OPTIONAL_OF_STEP: Final[dict[int, tuple[str, Kind]]] = {
    0x00400007: ("exam_label", Kind.TEXT),
    0x00400010: ("room", Kind.TEXT),
    0x00400011: ("room", Kind.TEXT),
}


class Scheduling(Protocol):
    """The verb of `core.services.scheduling` that the worklist needs."""

    def worklist(self, query: WorklistQuery) -> list[WorklistEntry]: ...


class Seen(Protocol):
    """A machine asked something."""

    def seen(self, ae_title: str, what: str) -> None: ...


class Diary(Protocol):
    """What machines ask is remembered, for « pourquoi n'est-il pas sur la machine ? »."""

    def query(
        self,
        calling: str,
        called: str,
        address: str,
        result: str,
        *,
        keys: Iterable[str] = (),
        received: bytes = b"",
        answers: int = 0,
        limited: bool = False,
        steps: Iterable[int] = (),
        asked: str = "",
    ) -> None: ...


@dataclass(slots=True)
class Asked:
    """One query while it is answered. result: `answered`, a refusal, or that the machine left."""

    result: str = "interrupted"
    keys: tuple[str, ...] = ()
    query: WorklistQuery | None = None
    limited: bool = False
    steps: list[int] = field(default_factory=list)


def lines_of(keys: Item, indent: str = "") -> Iterator[str]:
    """The keys of a query for people: tag and text, sequences indented."""
    for tag in keys.tags[:_MOST_LINES]:
        yield f"{indent}({tag >> 16:04x},{tag & 0xFFFF:04x}) {keys.text(tag)[:64]}".rstrip()
        for item in keys.items(tag)[:1]:
            yield from lines_of(item, indent + "> ")


@dataclass(frozen=True, slots=True)
class Line:
    """A step with its start in the site's wall time, as consoles show it."""

    entry: WorklistEntry
    start: datetime


def _code(line: Line, encoder: Encoder, syntax: str) -> list[bytes]:
    entry = line.entry
    if not entry.exam_code:
        return []
    return [code_item(entry.exam_code, SCHEME, entry.exam_label or entry.exam_code, encoder, syntax)]


def _none(_line: Line, _encoder: Encoder, _syntax: str) -> list[bytes]:
    return []


STEP_COLUMNS: Final[tuple[Answer[Line], ...]] = (
    Column(0x00080060, "CS", lambda line: line.entry.modality, always=True),
    Column(0x00321070, "LO", nothing),  # requested contrast agent
    Column(0x00400001, "AE", lambda line: "\\".join(line.entry.ae_titles), always=True, many=True),
    Column(0x00400002, "DA", lambda line: f"{line.start:%Y%m%d}", always=True),
    Column(0x00400003, "TM", lambda line: f"{line.start:%H%M%S}", always=True),
    Column(0x00400006, "PN", nothing),  # performing physician
    Column(0x00400007, "LO", lambda line: line.entry.exam_label, always=True),
    Nested(0x00400008, _code, always=True),
    Column(0x00400009, "SH", lambda line: line.entry.scheduled_step_id, always=True),
    Column(0x00400010, "SH", lambda line: line.entry.room),
    Column(0x00400011, "SH", lambda line: line.entry.room),
    Column(0x00400012, "LO", nothing),  # pre-medication
    Column(0x00400020, "CS", lambda line: line.entry.status),
    Column(0x00400400, "LT", lambda line: line.entry.protocol),
)
COLUMNS: Final[tuple[Answer[Line], ...]] = (
    Column(0x00080050, "SH", lambda line: line.entry.accession_number, always=True),
    Column(0x00080080, "LO", nothing),
    Column(0x00080090, "PN", lambda line: line.entry.prescriber),
    Nested(0x00081110, _none),
    Nested(0x00081120, _none),
    Column(0x00100010, "PN", lambda line: line.entry.patient_name, always=True),
    Column(0x00100020, "LO", lambda line: line.entry.patient_number, always=True),
    Column(0x00100021, "LO", lambda line: line.entry.issuer),
    Column(0x00100030, "DA", lambda line: line.entry.birth_date),
    Column(0x00100040, "CS", lambda line: line.entry.sex),
    Column(0x00101000, "LO", lambda line: "\\".join(line.entry.other_ids), many=True),
    Column(0x00101010, "AS", lambda line: line.entry.age),
    Column(0x00101030, "DS", lambda line: f"{line.entry.weight_kg:g}" if line.entry.weight_kg else ""),
    Column(0x00102000, "LO", nothing),  # medical alerts
    Column(0x00102110, "LO", nothing),  # allergies
    Column(0x001021C0, "US", nothing),  # pregnancy status
    Column(0x0020000D, "UI", lambda line: line.entry.study_instance_uid, always=True),
    Column(0x00321032, "PN", lambda line: line.entry.prescriber),
    Column(0x00321033, "LO", lambda line: line.entry.ward),
    Column(0x00321060, "LO", lambda line: line.entry.exam_label, always=True),
    Nested(0x00321064, _code, always=True),
    Column(0x00380010, "LO", lambda line: line.entry.visit_number),
    Column(0x00380050, "LO", nothing),  # special needs
    Column(0x00380300, "LO", lambda line: line.entry.ward),
    Column(0x00380500, "LO", nothing),  # patient state
    Column(0x00401001, "SH", lambda line: line.entry.requested_procedure_id, always=True),
    Column(0x00401002, "LO", lambda line: line.entry.indication),
    Column(0x00401003, "SH", lambda line: line.entry.priority),
    Column(0x00401004, "LO", nothing),  # transport
    Nested(0x0040100A, _none),
    Column(0x00401400, "LT", lambda line: line.entry.indication),
    Column(0x00402016, "LO", lambda line: line.entry.placer_number),
    Column(0x00402017, "LO", lambda line: line.entry.filler_number),
    Column(0x00403001, "LO", nothing),  # confidentiality
)


class WorklistDoor:
    """The handler of the worklist class. zone: the site's wall time, in which machines ask and show."""

    def __init__(self, scheduling: Scheduling, devices: Seen, diary: Diary, zone: ZoneInfo) -> None:
        self._scheduling = scheduling
        self._devices = devices
        self._diary = diary
        self._zone = zone

    def find(self, request: Request) -> Iterator[Reply]:
        """The items, then the final status. What was asked and what became of it is remembered."""
        asked = Asked()
        try:
            yield from self._find(request, asked)
        except YelenError as refusal:
            asked.result = str(refusal)
            raise
        finally:
            self._remember(request, asked)

    def _find(self, request: Request, asked: Asked) -> Iterator[Reply]:
        keys = dataset.decode(request.data_set, request.context.transfer_syntax)
        asked.keys = tuple(lines_of(keys))
        query = asked.query = read_query(keys, request, self._zone)
        self._devices.seen(request.caller.ae_title, "query")
        entries = self._scheduling.worklist(replace(query, limit=query.limit + 1))
        spell = Speller(keys, request, self._zone)
        for entry in entries[: query.limit]:
            asked.steps.append(entry.step_id)
            yield Reply(PENDING, spell(entry))
        asked.limited, asked.result = len(entries) > query.limit, "answered"
        if asked.limited:  # the worklist service has no warning (PS3.4 table K.4-1)
            yield cut_short(request.caller.device, query.limit, warning=OUT_OF_RESOURCES)
        else:
            yield Reply(SUCCESS)

    def _remember(self, request: Request, asked: Asked) -> None:
        self._diary.query(
            request.caller.ae_title,
            request.called,
            request.caller.address,
            asked.result,
            keys=asked.keys,
            received=request.data_set[:_MOST_BYTES],
            answers=len(asked.steps),
            limited=asked.limited,
            steps=asked.steps[:_MOST_STEPS],
            asked=asked.query.to_json() if asked.query else "",
        )


def read_query(keys: Item, request: Request, zone: ZoneInfo) -> WorklistQuery:
    """The keys that restrict. An empty key, `*`, an absent key and an empty sequence are universal."""
    step = keys.first(STEP_SEQUENCE)
    when = combine(date_range(step.text(0x00400002)), time_range(step.text(0x00400003)), zone)
    return WorklistQuery(
        calling_ae=request.caller.ae_title,
        device=request.caller.device,
        station_ae=_key(step, 0x00400001),
        modality=_key(step, 0x00080060),
        scheduled_from=when.start,
        scheduled_to=when.end,
        daily_from=when.daily.low,
        daily_to=when.daily.high,
        patient_name=_key(keys, 0x00100010),
        patient_id=_key(keys, 0x00100020),
        accession_number=_key(keys, 0x00080050),
        requested_procedure_id=_key(keys, 0x00401001),
        scheduled_step_id=_key(step, 0x00400009),
        study_instance_uid=_key(keys, 0x0020000D),
        others=tuple(_others(keys, step)),
        limit=max(LIMIT, request.caller.device.find_limit) if request.caller.device else LIMIT,
    )


def _others(keys: Item, step: Item) -> Iterator[tuple[str, str, Key]]:
    for holder, table in ((keys, OPTIONAL), (step, OPTIONAL_OF_STEP)):
        for tag, (attribute, kind) in table.items():
            text = holder.text(tag)
            if (key := read_key(kind, text)) is not None:
                yield attribute, text, key


def _key(keys: Item, tag: int) -> str:
    text = keys.text(tag)
    return "" if not text.strip("*") else text


class Speller:
    """Worklist items for one query: the asked attributes, in the charset that the machine can read."""

    def __init__(self, keys: Item, request: Request, zone: ZoneInfo) -> None:
        device = request.caller.device
        self._encoder = Encoder(device.charset if device else "ISO_IR 100")
        self._syntax = request.context.transfer_syntax
        self._zone = zone
        step = keys.first(STEP_SEQUENCE)
        asked = step.tags or [column.tag for column in STEP_COLUMNS]
        before = answers.chosen((c for c in COLUMNS if c.tag < STEP_SEQUENCE), keys.tags)
        after = answers.chosen((c for c in COLUMNS if c.tag > STEP_SEQUENCE), keys.tags)
        self._step, self._before, self._after = (
            answers.prepare(columns, self._encoder, self._syntax)
            for columns in (answers.chosen(STEP_COLUMNS, asked), before, after)
        )
        declared = self._encoder.declared.encode()
        charset = dataset.element(dataset.SPECIFIC_CHARACTER_SET, "CS", declared, self._syntax)
        self._charset = charset if declared else b""

    def __call__(self, entry: WorklistEntry) -> bytes:
        line = Line(entry, entry.scheduled_at.astimezone(self._zone))
        return b"".join(
            (
                self._charset,
                self._before(line),
                dataset.sequence(STEP_SEQUENCE, [self._step(line)], self._syntax),
                self._after(line),
            )
        )
