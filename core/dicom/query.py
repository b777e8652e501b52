"""Study Root C-FIND at the study and series levels: read the keys, ask the studies, spell the answers.

Source: PS3.4 annex C (keys: table C.6.2-1; matching: C.2.2.2; statuses: C.4.1.1.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final, Generic, Protocol, TypeVar

from core.dicom import answers, dataset
from core.dicom.answers import Answer, Column
from core.dicom.charset import Encoder
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.key_ranges import KeyRange, date_range, time_range
from core.dicom.status import OUT_OF_RESOURCES, PENDING, PENDING_UNSUPPORTED_KEYS, SUCCESS
from core.errors import BadInput
from core.i18n import _
from core.model.query import StudyQuery
from core.model.study import SeriesLine, StudyLine

Row = TypeVar("Row")
LEVEL: Final = 0x00080052
RETRIEVE_AE: Final = 0x00080054
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
SERIES_MODALITY: Final = 0x00080060
SERIES_NUMBER: Final = 0x00200011
MODALITIES: Final = 0x00080061
SELECTIVE_LIMIT: Final = 5000  # answers to a query with a selective key
_SELECTIVE_DAYS: Final = 31
_SELECTIVE_LETTERS: Final = 3
_NOT_KEYS: Final = frozenset({LEVEL, dataset.SPECIFIC_CHARACTER_SET, RETRIEVE_AE})


class Studies(Protocol):
    """The verb of `core.services.studies` that queries need."""

    def find(self, query: StudyQuery) -> list[StudyLine]: ...
    def find_series(self, query: StudyQuery) -> list[tuple[StudyLine, SeriesLine]]: ...


class Seen(Protocol):
    """A machine asked something."""

    def seen(self, ae_title: str, what: str) -> None: ...


COLUMNS: Final[tuple[Answer[StudyLine], ...]] = (
    Column(0x00080020, "DA", lambda study: study.study_date),
    Column(0x00080030, "TM", lambda study: study.study_time),
    Column(0x00080050, "SH", lambda study: study.accession_number),
    Column(LEVEL, "CS", lambda study: "STUDY", always=True),
    Column(0x00080056, "CS", lambda study: "ONLINE", always=True),
    Column(MODALITIES, "CS", lambda study: "\\".join(study.modalities), many=True),
    Column(0x00080090, "PN", lambda study: study.referring_physician),
    Column(0x00081030, "LO", lambda study: study.study_description),
    Column(0x00100010, "PN", lambda study: study.patient_name),
    Column(0x00100020, "LO", lambda study: study.patient_number),
    Column(0x00100030, "DA", lambda study: study.patient_birth_date),
    Column(0x00100040, "CS", lambda study: study.patient_sex),
    Column(STUDY_UID, "UI", lambda study: study.study_instance_uid, always=True),
    Column(0x00200010, "SH", lambda study: study.study_id),
    Column(0x00201206, "IS", lambda study: str(study.series)),
    Column(0x00201208, "IS", lambda study: str(study.instances)),
)
SeriesRow = tuple[StudyLine, SeriesLine]
SERIES_COLUMNS: Final[tuple[Answer[SeriesRow], ...]] = (
    Column(LEVEL, "CS", lambda row: "SERIES", always=True),
    Column(0x00080056, "CS", lambda row: "ONLINE", always=True),
    Column(SERIES_MODALITY, "CS", lambda row: row[1].modality),
    Column(0x0008103E, "LO", lambda row: row[1].description),
    Column(0x00180015, "CS", lambda row: row[1].body_part),
    Column(STUDY_UID, "UI", lambda row: row[0].study_instance_uid, always=True),
    Column(SERIES_UID, "UI", lambda row: row[1].series_instance_uid, always=True),
    Column(SERIES_NUMBER, "IS", lambda row: "" if row[1].number is None else str(row[1].number)),
    Column(0x00201209, "IS", lambda row: str(row[1].instances)),
)


class StudyQueryDoor:
    """The handler of the Study Root query class. title: our own AE, where studies can be had."""

    def __init__(self, studies: Studies, devices: Seen, title: str) -> None:
        self._studies = studies
        self._devices = devices
        self._title = title

    def find(self, request: Request) -> Iterator[Reply]:
        keys = dataset.decode(request.data_set, request.context.transfer_syntax)
        level = keys.text(LEVEL).upper()
        query = read_query(keys, request)
        self._devices.seen(request.caller.ae_title, "query")
        more = replace(query, limit=query.limit + 1)  # was it cut?
        if level == "STUDY":
            yield from self._answers(COLUMNS, self._studies.find(more), keys, request, query.limit)
        elif level == "SERIES" and query.study_uids:
            rows = [row for row in self._studies.find_series(more) if _series_matches(keys, row[1])]
            yield from self._answers(SERIES_COLUMNS, rows, keys, request, query.limit)
        else:
            raise BadInput(_("Niveau de recherche non pris en charge : %s") % (level[:16] or "-"), "QueryRetrieveLevel")

    def _answers(
        self, columns: tuple[Answer[Row], ...], rows: list[Row], keys: Item, request: Request, limit: int
    ) -> Iterator[Reply]:
        where: Answer[Row] = Column(RETRIEVE_AE, "AE", lambda _row: self._title, always=True)
        spell = Speller((*columns, where), keys, request)
        known = _NOT_KEYS.union(column.tag for column in columns)
        pending = PENDING if known.issuperset(keys.tags) else PENDING_UNSUPPORTED_KEYS
        for row in rows[:limit]:
            yield Reply(pending, spell(row))
        yield Reply(OUT_OF_RESOURCES if len(rows) > limit else SUCCESS)


def _series_matches(keys: Item, series: SeriesLine) -> bool:
    uids = [uid for uid in _key(keys, SERIES_UID).split("\\") if uid]
    number, modality = _key(keys, SERIES_NUMBER), _key(keys, SERIES_MODALITY)
    return (
        (not uids or series.series_instance_uid in uids)
        and (not modality or series.modality in modality.split("\\"))
        and (not number or number == str(series.number))
    )


def read_query(keys: Item, request: Request) -> StudyQuery:
    """The keys that restrict. Raises `BadInput` (0xA900) for a date that is none."""
    day, hour = date_range(keys.text(0x00080020)), time_range(keys.text(0x00080030))
    device = request.caller.device
    query = StudyQuery(
        patient_id=_key(keys, 0x00100020),
        issuer=_key(keys, 0x00100021),
        patient_name=_key(keys, 0x00100010),
        birth_date=_key(keys, 0x00100030).replace(".", ""),
        sex=_key(keys, 0x00100040),
        accession_number=_key(keys, 0x00080050),
        study_uids=tuple(uid for uid in _key(keys, STUDY_UID).split("\\") if uid),
        date_from=day.low,
        date_to=day.high,
        time_from=hour.low,
        time_to=hour.high,
        modalities=tuple(modality for modality in _key(keys, MODALITIES).split("\\") if modality),
        study_id=_key(keys, 0x00200010),
        description=_key(keys, 0x00081030),
        referring_physician=_key(keys, 0x00080090),
        include_unreconciled=device is not None and device.role == "workstation",
    )
    limit = device.find_limit if device else 500
    return replace(query, limit=max(limit, SELECTIVE_LIMIT) if is_selective(query, day) else limit)


def is_selective(query: StudyQuery, day: KeyRange) -> bool:
    """A single value, a name of three letters or a month of dates: the answer may be long, it was asked for."""
    if any((query.study_uids, _plain(query.accession_number), _plain(query.patient_id), _plain(query.study_id))):
        return True
    letters = query.patient_name.split("*")[0].split("?")[0]
    return len(letters) >= _SELECTIVE_LETTERS or _few_days(day)


def _plain(key: str) -> bool:
    return bool(key) and "*" not in key and "?" not in key


def _few_days(day: KeyRange) -> bool:
    if not (day.low and day.high):
        return False
    try:
        low, high = (date(int(text[:4]), int(text[4:6]), int(text[6:8])) for text in (day.low, day.high))
    except ValueError:
        return False
    return (high - low).days <= _SELECTIVE_DAYS


def _key(keys: Item, tag: int) -> str:
    text = keys.text(tag)
    return "" if not text.strip("*") else text


class Speller(Generic[Row]):
    """Answers to one query, in the charset that the machine can read."""

    def __init__(self, columns: tuple[Answer[Row], ...], keys: Item, request: Request) -> None:
        device = request.caller.device
        self._encoder = Encoder(device.charset if device else "ISO_IR 192")
        self._syntax = request.context.transfer_syntax
        self._write = answers.prepare(answers.chosen(columns, keys.tags), self._encoder, self._syntax)
        declared = self._encoder.declared.encode()
        self._charset = dataset.element(dataset.SPECIFIC_CHARACTER_SET, "CS", declared, self._syntax)

    def __call__(self, row: Row) -> bytes:
        body = self._write(row)
        return body if _is_ascii(body, self._encoder) else self._charset + body


def _is_ascii(body: bytes, encoder: Encoder) -> bool:
    """Lengths of elements may look like letters outside ASCII; the charset is then declared for nothing."""
    return not encoder.declared or body.isascii()
