"""HL7 times: as precise as they were written, in the site's zone when they carry none.

`YYYY[MM[DD[HH[MM[SS[.s]]]]]][±ZZZZ]`. Source: HL7 v2.5.1 2.A.22 (DTM).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from core.errors import BadMessage
from core.hl7 import refusals
from core.hl7.tokenizer import Segment
from core.i18n import _

_PATTERN = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6})\d*)?)?)?)?)?)?(?:([+-])(\d{2})(\d{2}))?"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A moment as it was written. moment: its earliest instant, in UTC. digits: 4 for a year … 8 for a day … 14."""

    moment: datetime
    day: date  # as written, before any change of zone
    digits: int

    @property
    def has_time(self) -> bool:
        return self.digits > 8


def parse(text: str, zone: tzinfo) -> Written | None:
    """The moment of an HL7 time; None when it is empty or `""`. Raises ValueError when it is impossible."""
    text = text.strip()
    if not text or text == '""':
        return None
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in found.groups()[:6])
    digits = 4 + 2 * sum(part is not None for part in found.groups()[1:6])
    fraction = int((found[7] or "").ljust(6, "0"))
    try:
        written = datetime(year, month or 1, day or 1, hour, minute, min(second, 59), fraction)
        local = written.replace(tzinfo=_zone(found[8], found[9], found[10]) or zone)
        return Written(local.astimezone(UTC), written.date(), digits)
    except OverflowError as fault:
        raise ValueError(text) from fault


def _zone(sign: str | None, hours: str, minutes: str) -> tzinfo | None:
    if sign is None:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def time_of(segment: Segment, field: int, zone: tzinfo, component: int = 1) -> datetime | None:
    """The moment in a field, in UTC. Raises `BadMessage` (`bad-date`) that names the field."""
    try:
        written = parse(segment.at(field, component), zone)
    except ValueError:
        raise bad_date(segment, field) from None
    return written.moment if written else None


def bad_date(segment: Segment, field: int) -> BadMessage:
    sentence = _("Date impossible dans %s") % f"{segment.name}-{field}"
    return refusals.refused(refusals.BAD_DATE, sentence, segment.name, field, segment.number)


def spell(moment: datetime, zone: tzinfo) -> str:
    """A moment to the second with its offset, for MSH-7 and what we plan."""
    return moment.astimezone(zone).strftime("%Y%m%d%H%M%S%z")
