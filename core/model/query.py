"""Questions that doors ask: day lists, Modality Worklist queries. Empty means: do not restrict."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from core.model.device import Device
from core.model.matching import Key, spelled, unspelled
from core.model.worklist import ExamLine


@dataclass(frozen=True, slots=True)
class DayFilter:
    """The day list: one day of the site, perhaps one room, one status code, one ward, words typed as a filter."""

    day: date
    room: str = ""
    status: str = ""
    text: str = ""
    ward: str = ""


@dataclass(frozen=True, slots=True)
class DayPage:
    """Rows `top` to `top + len(lines)` of `total`. last_event: id of the newest event the page knows."""

    total: int
    top: int
    lines: tuple[ExamLine, ...]
    as_of: datetime
    last_event: int


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """A Modality Worklist C-FIND (PS3.4 K.6.1) as decoded by the door. Times are UTC.

    scheduled_from / scheduled_to: the combined date and time range, None = open. A time range without a date comes
    in `daily_from` / `daily_to` (HHMM[SS], site time). patient_name and identifiers may hold `*` and `?`.
    others: optional keys: attribute of `WorklistEntry`, text as asked, key.
    """

    calling_ae: str
    device: Device | None = None
    station_ae: str = ""
    modality: str = ""
    scheduled_from: datetime | None = None
    scheduled_to: datetime | None = None
    daily_from: str = ""
    daily_to: str = ""
    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    scheduled_step_id: str = ""
    study_instance_uid: str = ""
    others: tuple[tuple[str, str, Key], ...] = ()
    limit: int = 5000

    def to_json(self) -> str:
        """What was asked, without who asked: enough to ask it again."""
        values = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("calling_ae", "device", "others")
        }
        said = {name: v.isoformat() if isinstance(v, datetime) else v for name, v in values.items() if v}
        return json.dumps(said | {"others": [[name, text, spelled(key)] for name, text, key in self.others]})

    @staticmethod
    def from_json(text: str) -> WorklistQuery:
        said: dict[str, Any] = json.loads(text)
        others = tuple((name, asked, unspelled(parts)) for name, asked, parts in said.pop("others"))
        for name in {"scheduled_from", "scheduled_to"} & said.keys():
            said[name] = datetime.fromisoformat(said[name])
        return WorklistQuery(calling_ae="", **said, others=others)
