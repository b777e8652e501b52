"""Reports out: one frozen version as an ORU^R01, built with hl7apy, every value escaped by ourselves.

hl7apy writes raw line ends and leaves `^` and `&` alone; so what it is given is already safe text. One OBX a
paragraph; `\\.br\\` is never written. Source: HL7 v2.5.1 7.3.1 (ORU), tables 0085 and 0123; IHE RAD-28.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from hl7apy import SUPPORTED_LIBRARIES
from hl7apy.core import Group, Message, Segment

from core.hl7 import dates
from core.hl7.escapes import USUAL, escape
from core.hl7.text import WESTERN, codec_of, fitting
from core.i18n import _
from core.model.birth import Birth, Precision
from core.model.device import Destination
from core.model.identifiers import Identifier
from core.model.report import section_title


class ResultStatus(StrEnum):
    """OBR-25 (table 0123) and, but for WRONG_PATIENT, OBX-11 (table 0085)."""

    PRELIMINARY = "P"
    FINAL = "F"
    CORRECTED = "C"
    CANCELLED = "X"
    WRONG_PATIENT = "W"  # OBR-25 says C, OBX-11 says W

    @property
    def of_order(self) -> str:
        return "C" if self is ResultStatus.WRONG_PATIENT else str(self)


@dataclass(frozen=True, slots=True)
class Result:
    """What is said to one destination about one version. Times are UTC. identifiers: the patient's, ours first.

    filler: our number of the order, the same in every later message about it. pdf: the same version as paper.
    """

    control_id: str  # MSH-10
    status: ResultStatus
    identifiers: tuple[Identifier, ...]
    family_name: str
    given_names: str
    birth: Birth
    sex: str
    accession_number: str
    study_instance_uid: str
    sections: tuple[tuple[str, str], ...]  # (section of core.model.report, text)
    reported_at: datetime
    signer: str = ""  # full name
    operator: str = ""
    placer_number: str = ""
    placer_authority: str = ""
    filler_number: str = ""
    requested_procedure_id: str = ""
    step_id: str = ""
    exam_code: str = ""
    exam_label: str = ""
    modality: str = ""
    examined_at: datetime | None = None
    prescriber: str = ""
    visit_number: str = ""
    patient_class: str = ""
    ward: str = ""
    pdf: bytes = b""


@dataclass(frozen=True, slots=True)
class Origin:
    """How we name ourselves in what we send."""

    application: str = "YELEN"
    facility: str = ""
    processing_id: str = "P"


SECTION_CODES = {
    "indication": "INDIC",
    "technique": "TECH",
    "comparison": "COMPAR",
    "findings": "RESULT",
    "conclusion": "CONCL",
}


def banner(status: ResultStatus) -> str:
    """The first line of a text that is not, or no longer, a signed report."""
    return {
        ResultStatus.PRELIMINARY: _("COMPTE RENDU PROVISOIRE – NON VALIDÉ"),
        ResultStatus.CANCELLED: _("COMPTE RENDU ANNULÉ"),
        ResultStatus.WRONG_PATIENT: _("COMPTE RENDU RETIRÉ : NE CONCERNE PAS CE PATIENT"),
    }.get(status, "")


def oru(result: Result, destination: Destination, origin: Origin, now: datetime, zone: tzinfo) -> bytes:
    """The bytes of the message, in the destination's version and character set.

    Raises `BadMessage` (`unknown-charset`) when the destination's row names a set that we do not know.
    """
    codec = codec_of(destination.charset, WESTERN) or "ascii"
    message = Message("ORU_R01", version=_structure(destination.version))
    _fill(message.msh, _header(result, destination, origin, dates.spell(now, zone)), codec)
    patient_result = _group(message, "PATIENT_RESULT")
    patient = _group(patient_result, "PATIENT")
    _fill(patient.add_segment("PID"), _patient(result), codec)
    _fill(_group(patient, "VISIT").add_segment("PV1"), _visit(result), codec)
    order = _group(patient_result, "ORDER_OBSERVATION")
    _fill(order.add_segment("ORC"), _order(result, origin), codec)
    _fill(order.add_segment("OBR"), _request(result, origin, zone), codec)
    for number, observation in enumerate(_observations(result, origin, zone), 1):
        _fill(_group(order, "OBSERVATION").add_segment("OBX"), {1: str(number), **observation}, codec)
    return str(message.to_er7()).encode(codec)


Value = str | tuple["Value", ...] | list["Value"]
"""A value: text; a tuple, its components; a tuple in a tuple, subcomponents; a list, repetitions."""

Fields = dict[int, Value]


def _structure(version: str) -> str:
    """The version whose ORU^R01 is built: its groups are the same in all, but for names and a fifth separator."""
    if version == "2.3":
        return "2.3.1"
    if version >= "2.7":
        return "2.6"
    return version if version in SUPPORTED_LIBRARIES and version > "2.3" else "2.5"


def _group(parent: Message | Group, name: str) -> Group:
    """A new group of the structure ORU_R01."""
    group: Group = parent.add_group(f"ORU_R01_{name}")  # type: ignore[no-untyped-call]
    return group


def _fill(segment: Segment, fields: Fields, codec: str) -> None:
    for number, value in fields.items():
        name = f"{segment.name}_{number}".lower()
        first, *others = [_written(one, codec) for one in (value if isinstance(value, list) else [value])]
        if first:
            setattr(segment, name, first)
        for other in others:
            segment.add_field(name).value = other


def _written(value: Value, codec: str, separator: str = "^") -> str:
    """A value in the letters of the set, escaped; empty components at the end are left out."""
    if isinstance(value, str):
        return escape(fitting(value, codec), USUAL)
    return separator.join(_written(part, codec, "&") for part in value).rstrip(separator)


def _header(result: Result, destination: Destination, origin: Origin, now: str) -> Fields:
    return {
        3: origin.application,
        4: origin.facility,
        5: destination.application,
        6: destination.facility,
        7: now,
        9: ("ORU", "R01", "ORU_R01"),
        10: result.control_id,
        11: origin.processing_id,
        12: destination.version,
        18: destination.charset,
    }


def _patient(result: Result) -> Fields:
    return {
        3: [(one.value, "", "", one.authority, one.kind) for one in result.identifiers],
        5: (result.family_name, result.given_names, "", "", "", "", "L"),
        7: _birth(result.birth),
        8: result.sex,
        18: result.visit_number,
    }


def _birth(birth: Birth) -> str:
    """PID-7 no more precise than what is known."""
    if birth.earliest is None or birth.latest is None:
        return ""
    middle = birth.earliest + (birth.latest - birth.earliest) / 2
    return middle.strftime({Precision.DAY: "%Y%m%d", Precision.MONTH: "%Y%m"}.get(birth.precision, "%Y"))


def _visit(result: Result) -> Fields:
    return {2: result.patient_class or "U", 3: result.ward, 19: result.visit_number}


def _order(result: Result, origin: Origin) -> Fields:
    """ORC RE: observations to follow. ORC-3 is the same for every version of one report."""
    return {1: "RE", **_numbers(result, origin)}


def _numbers(result: Result, origin: Origin) -> Fields:
    return {
        2: (result.placer_number, result.placer_authority if result.placer_number else ""),
        3: (result.filler_number, origin.application if result.filler_number else ""),
    }


def _request(result: Result, origin: Origin, zone: tzinfo) -> Fields:
    return {
        1: "1",
        **_numbers(result, origin),
        4: (result.exam_code, result.exam_label, "L"),
        7: dates.spell(result.examined_at, zone) if result.examined_at else "",
        16: ("", result.prescriber),
        18: result.accession_number,
        19: result.requested_procedure_id,
        20: result.step_id,
        22: dates.spell(result.reported_at, zone),
        24: result.modality,
        25: result.status.of_order,
        32: (("", result.signer),),
        34: (("", result.operator),),
    }


def _observations(result: Result, origin: Origin, zone: tzinfo) -> Iterator[Fields]:
    status = str(result.status)
    common: Fields = {11: status, 14: dates.spell(result.reported_at, zone)}
    if result.study_instance_uid:
        yield {2: "HD", 3: ("113014", "DICOM Study", "DCM"), 5: result.study_instance_uid, **common}
    for section, number, paragraph in _paragraphs(result):
        title = section_title(section) if section in SECTION_CODES else _("Mention")
        code = SECTION_CODES.get(section, "MENTION")
        yield {2: "TX", 3: (code, title, "L"), 4: str(number), 5: paragraph, **common}
    if result.pdf:
        document = (origin.application, "application", "pdf", "Base64", base64.b64encode(result.pdf).decode())
        yield {2: "ED", 3: ("18748-4", "Diagnostic imaging study", "LN"), 5: document, **common}


def _paragraphs(result: Result) -> Iterator[tuple[str, int, str]]:
    """Section, rank and text of every paragraph; a withdrawn or cancelled text is not said again."""
    if first := banner(result.status):
        yield "", 1, first
    if result.status in (ResultStatus.CANCELLED, ResultStatus.WRONG_PATIENT):
        return
    for section, text in result.sections:
        lines = [line.strip() for line in text.splitlines()]
        yield from ((section, n, line) for n, line in enumerate((line for line in lines if line), 1))
