"""Modality Performed Procedure Step: N-CREATE and N-SET become facts for the department.

Tolerant: what a machine leaves out is not said; what it says is kept as it came.
Source: PS3.4 annex F.7 (N-CREATE statuses F.7.2.1.3, N-SET F.7.2.2.3).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from core.dicom import dataset
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.key_ranges import combine, date_range, time_range
from core.dicom.status import (
    DUPLICATE_INSTANCE,
    INVALID_ATTRIBUTE_VALUE,
    MISSING_ATTRIBUTE,
    MPPS_NO_LONGER_UPDATED,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    SUCCESS,
)
from core.errors import BadInput, NotFound
from core.model.identifiers import is_uid
from core.model.performed import COMPLETED, DISCONTINUED, IN_PROGRESS, AlreadyFinal, AlreadyKnown, MppsFacts

_STATUSES: Final = frozenset({IN_PROGRESS, COMPLETED, DISCONTINUED})
_MOST_ANNOUNCED: Final = 20_000
_TEXTS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UT"})
_BYTES: Final = frozenset({"OB", "OW", "UN"})


class PerformedSteps(Protocol):
    """The verbs of `core.services.mpps`."""

    def create(self, facts: MppsFacts) -> None: ...
    def set(self, facts: MppsFacts) -> None: ...


class MppsDoor:
    """Handlers of the performed procedure step class. zone: the wall time that machines write."""

    def __init__(self, steps: PerformedSteps, zone: ZoneInfo) -> None:
        self._steps = steps
        self._zone = zone

    def create(self, request: Request) -> Iterator[Reply]:
        """N-CREATE. Durable before success; the same instance twice is 0x0111."""
        facts = self._facts(request)
        if refusal := _refusal(facts, creating=True):
            yield refusal
            return
        try:
            self._steps.create(facts)
        except AlreadyKnown:
            yield Reply(DUPLICATE_INSTANCE, comment="duplicate SOP instance")
            return
        yield Reply(SUCCESS)

    def set(self, request: Request) -> Iterator[Reply]:
        """N-SET. A step already final: 0x0110 with Error ID 0xA710."""
        facts = self._facts(request)
        if refusal := _refusal(facts, creating=False):
            yield refusal
            return
        try:
            self._steps.set(facts)
        except NotFound:
            yield Reply(NO_SUCH_INSTANCE, comment="no such performed procedure step")
            return
        except AlreadyFinal:
            comment = "performed procedure step may no longer be updated"
            yield Reply(PROCESSING_FAILURE, comment=comment, error_id=MPPS_NO_LONGER_UPDATED)
            return
        yield Reply(SUCCESS)

    def _facts(self, request: Request) -> MppsFacts:
        item = dataset.decode(request.data_set, request.context.transfer_syntax)
        caller = request.caller
        return read_facts(item, request.command.sop_instance, caller.ae_title, caller.address, caller.known, self._zone)


def _refusal(facts: MppsFacts, creating: bool) -> Reply | None:
    if not is_uid(facts.sop_instance_uid):
        return Reply(INVALID_ATTRIBUTE_VALUE, comment="SOP instance UID")
    if creating and not facts.status:
        return Reply(MISSING_ATTRIBUTE, comment="(0040,0252)")
    if facts.status and facts.status not in _STATUSES:
        return Reply(INVALID_ATTRIBUTE_VALUE, comment="(0040,0252)")
    return None


def read_facts(item: Item, instance: str, calling: str, address: str, known: bool, zone: ZoneInfo) -> MppsFacts:
    """What the data set says, without its spelling."""
    announced = _announced(item)
    return MppsFacts(
        sop_instance_uid=instance,
        calling_ae=calling,
        address=address,
        status=item.text(0x00400252).upper(),
        scheduled=tuple(_scheduled(step) for step in item.items(0x00400270)[:64]),
        patient_id=item.text(0x00100020),
        issuer_of_patient_id=item.text(0x00100021),
        patient_name=item.text(0x00100010),
        patient_birth_date=item.text(0x00100030),
        patient_sex=item.text(0x00100040),
        modality=item.text(0x00080060),
        station_ae=item.text(0x00400241),
        performed_step_id=item.text(0x00400253),
        description=item.text(0x00400254),
        started_at=_moment(item, 0x00400244, zone),
        ended_at=_moment(item, 0x00400250, zone),
        reason=_reason(item),
        announced=tuple(announced[:_MOST_ANNOUNCED]),
        dose_area_product=_dose(item),
        dose_text=item.text(0x00400310)[:200],
        dataset=json.dumps(as_json(item), ensure_ascii=False),
        known_device=known,
    )


def _scheduled(step: Item) -> tuple[str, str, str, str]:
    return step.text(0x0020000D), step.text(0x00080050), step.text(0x00400009), step.text(0x00401001)


def _announced(item: Item) -> list[str]:
    """Instances of the performed series: (0008,1140) images and (0040,0220) the others."""
    return [
        reference.text(0x00081155)
        for series in item.items(0x00400340)
        for tag in (0x00081140, 0x00400220)
        for reference in series.items(tag)
        if is_uid(reference.text(0x00081155))
    ]


def _moment(item: Item, date_tag: int, zone: ZoneInfo) -> datetime | None:
    """A date and the time beside it; a machine's impossible clock is no moment, not an error."""
    try:
        day, hour = date_range(item.text(date_tag)), time_range(item.text(date_tag + 1))
        return combine(day, hour, zone).start if day.single else None
    except BadInput:
        return None


def _reason(item: Item) -> str:
    """(0040,0281): the meaning of the discontinuation reason, else its code."""
    code = item.first(0x00400281)
    return code.text(0x00080104) or code.text(0x00080100)


def _dose(item: Item) -> float | None:
    """(0018,115E) image and fluoroscopy area dose product, dGy.cm2 on the wire, mGy.cm2 here."""
    try:
        value = float(item.text(0x0018115E))
    except ValueError:
        return None
    return value * 100 if 0 < value < 1e6 else None


def as_json(item: Item) -> dict[str, object]:
    """The data set as DICOM JSON (PS3.18 annex F), for keeping."""
    written: dict[str, object] = {}
    for tag in item.tags:
        key = f"{tag >> 16:04X}{tag & 0xFFFF:04X}"
        if tag in item.sequences:
            written[key] = {"vr": "SQ", "Value": [as_json(inner) for inner in item.sequences[tag]]}
        else:
            written[key] = _json_value(item, tag)
    return written


def _json_value(item: Item, tag: int) -> dict[str, object]:
    vr, value = _vr(tag), item.values[tag]
    if not value:
        return {"vr": vr}
    if vr == "PN":
        return {"vr": vr, "Value": [{"Alphabetic": name} for name in item.text(tag).split("\\")]}
    if vr in _TEXTS:
        return {"vr": vr, "Value": item.text(tag).split("\\")}
    return {"vr": vr if vr in _BYTES else "UN", "InlineBinary": base64.b64encode(value).decode("ascii")}


def _vr(tag: int) -> str:
    """From the standard's dictionary: the wire does not always say."""
    from pydicom.datadict import dictionary_VR  # a large module, wanted for these rare messages alone

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"
