"""The attributes of Query/Retrieve as DICOM spells them: tag, VR, and what an answer at each level holds.

Source: PS3.4 tables C.6-1 to C.6-4; PS3.6. The conformance statement is made from these tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from core.dicom.answers import Answer, Column, Nested, code_item
from core.dicom.charset import Encoder
from core.dicom.dataset import element
from core.model.finding import KINDS, LEVELS, UNIQUE_KEYS, Found, Kind, Level

LEVEL: Final = 0x00080052
RETRIEVE_AE: Final = 0x00080054
AVAILABILITY: Final = 0x00080056
QUERY_VIEW: Final = 0x00080053
TIMEZONE: Final = 0x00080201
PROCEDURE_CODES: Final = 0x00081032
REQUEST_ATTRIBUTES: Final = 0x00400275
SCHEME: Final = "99YELEN"  # the site's own catalogue of exams

TAGS: Final[dict[str, tuple[int, str]]] = {
    "image_type": (0x00080008, "CS"),
    "instance_creation_date": (0x00080012, "DA"),
    "instance_creation_time": (0x00080013, "TM"),
    "sop_class_uid": (0x00080016, "UI"),
    "sop_instance_uid": (0x00080018, "UI"),
    "study_date": (0x00080020, "DA"),
    "series_date": (0x00080021, "DA"),
    "content_date": (0x00080023, "DA"),
    "study_time": (0x00080030, "TM"),
    "series_time": (0x00080031, "TM"),
    "content_time": (0x00080033, "TM"),
    "accession_number": (0x00080050, "SH"),
    "modality": (0x00080060, "CS"),
    "modalities_in_study": (0x00080061, "CS"),
    "sop_classes_in_study": (0x00080062, "UI"),
    "institution_name": (0x00080080, "LO"),
    "referring_physician_name": (0x00080090, "PN"),
    "station_name": (0x00081010, "SH"),
    "study_description": (0x00081030, "LO"),
    "series_description": (0x0008103E, "LO"),
    "available_transfer_syntax_uid": (0x00083002, "UI"),
    "patient_name": (0x00100010, "PN"),
    "patient_id": (0x00100020, "LO"),
    "issuer_of_patient_id": (0x00100021, "LO"),
    "patient_birth_date": (0x00100030, "DA"),
    "patient_sex": (0x00100040, "CS"),
    "patient_age": (0x00101010, "AS"),
    "patient_weight": (0x00101030, "DS"),
    "body_part_examined": (0x00180015, "CS"),
    "protocol_name": (0x00181030, "LO"),
    "study_instance_uid": (0x0020000D, "UI"),
    "series_instance_uid": (0x0020000E, "UI"),
    "study_id": (0x00200010, "SH"),
    "series_number": (0x00200011, "IS"),
    "instance_number": (0x00200013, "IS"),
    "laterality": (0x00200060, "CS"),
    "number_of_patient_related_studies": (0x00201200, "IS"),
    "number_of_patient_related_series": (0x00201202, "IS"),
    "number_of_patient_related_instances": (0x00201204, "IS"),
    "number_of_study_related_series": (0x00201206, "IS"),
    "number_of_study_related_instances": (0x00201208, "IS"),
    "number_of_series_related_instances": (0x00201209, "IS"),
    "number_of_frames": (0x00280008, "IS"),
    "rows": (0x00280010, "US"),
    "columns": (0x00280011, "US"),
}
_UIDS: Final = frozenset(UNIQUE_KEYS.values()) - {UNIQUE_KEYS[Level.PATIENT]}
_SEVERAL: Final = frozenset({"modalities_in_study", "sop_classes_in_study", "image_type"})

# Sequences: the attributes inside their one item.
INSIDE: Final[dict[int, dict[str, tuple[int, str]]]] = {
    PROCEDURE_CODES: {"procedure_code": (0x00080100, "SH"), "procedure_meaning": (0x00080104, "LO")},
    REQUEST_ATTRIBUTES: {
        "scheduled_procedure_step_id": (0x00400009, "SH"),
        "requested_procedure_id": (0x00401001, "SH"),
    },
}


def _codes(found: Found, encoder: Encoder, syntax: str) -> Iterable[bytes]:
    code, meaning = found["procedure_code"], found["procedure_meaning"]
    return [code_item(code, SCHEME, meaning or code, encoder, syntax)] if code else []


def _requests(found: Found, encoder: Encoder, syntax: str) -> Iterable[bytes]:
    named = [(tag, vr, found[name]) for name, (tag, vr) in INSIDE[REQUEST_ATTRIBUTES].items() if found[name]]
    return [b"".join(element(tag, vr, encoder.encode(text), syntax) for tag, vr, text in named)] if named else []


def _column(name: str) -> Answer[Found]:
    """UIDs that name a level are always sent; the patient's number belongs to the patient root model."""
    tag, vr = TAGS[name]
    return Column(tag, vr, itemgetter(name), always=name in _UIDS, many=name in _SEVERAL)


def columns(level: Level) -> tuple[Answer[Found], ...]:
    """What an answer at this level may hold."""
    found = [_column(name) for name in TAGS if LEVELS[name] <= level]
    if level >= Level.STUDY:
        found.append(Nested(PROCEDURE_CODES, _codes))
    if level >= Level.SERIES:
        found.append(Nested(REQUEST_ATTRIBUTES, _requests))
    return tuple(found)


def asked(level: Level, tags: Iterable[int]) -> frozenset[str]:
    """The attributes that an answer with these elements needs."""
    wanted = set(tags)
    names = {name for name, (tag, _vr) in TAGS.items() if tag in wanted}
    names.update(name for tag, inside in INSIDE.items() if tag in wanted for name in inside)
    names.update(UNIQUE_KEYS[upper] for upper in Level if upper <= level)
    names.add("instance_availability")
    return frozenset(name for name in names if LEVELS[name] <= level)


KIND_OF_TAG: Final[dict[int, tuple[str, Kind]]] = {tag: (name, KINDS[name]) for name, (tag, _vr) in TAGS.items()}
