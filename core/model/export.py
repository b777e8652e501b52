"""A complete export: what is asked, how far it is, how its files are named.

Names are those of interchange media (PS3.10 8.2, PS3.12): components of at most eight of A-Z, 0-9 and _, made of our
own row numbers, never of anything that a machine sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.i18n import _

FORMAT: Final = 1
MANIFEST: Final = "MANIFEST.TXT"
DESCRIPTION: Final = "EXPORT.JSON"
README: Final = "README.TXT"
DICOMDIR: Final = "DICOMDIR"
COPIED: Final = ("DICOM", "HIDDEN", "ASIDE")  # folders of files as archived
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Phase(StrEnum):
    """What is being written, in this order."""

    ROWS = "rows"
    FILES = "files"
    REPORTS = "reports"
    INDEX = "index"
    SEAL = "seal"
    DONE = "done"

    @property
    def word(self) -> str:
        return {
            Phase.ROWS: _("données"),
            Phase.FILES: _("images"),
            Phase.REPORTS: _("comptes rendus"),
            Phase.INDEX: _("DICOMDIR"),
            Phase.SEAL: _("empreintes"),
            Phase.DONE: _("terminé"),
        }[self]


@dataclass(frozen=True, slots=True)
class Asked:
    """patient: a number; study: a Study Instance UID; neither: the whole department."""

    patient: str = ""
    study: str = ""

    @property
    def is_all(self) -> bool:
        return not self.patient and not self.study


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is. done, total: files of this phase; bytes of images. faults: French, one line each."""

    phase: Phase
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    faults: tuple[str, ...] = ()

    @property
    def is_finished(self) -> bool:
        return self.phase is Phase.DONE


def image_name(study_id: int, series_id: int, instance_id: int) -> str:
    """`DICOM/ST000001/SE00000A/IM0000ZZ`."""
    return f"DICOM/ST{_base36(study_id)}/SE{_base36(series_id)}/IM{_base36(instance_id)}"


def hidden_name(instance_id: int) -> str:
    """A rejected image, or the note that rejects: kept, and not to be shown, so not in the DICOMDIR."""
    return f"HIDDEN/IM{_base36(instance_id)}"


def aside_name(quarantine_id: int) -> str:
    """Bytes of the quarantine: perhaps no DICOM at all, so not in the DICOMDIR."""
    return f"ASIDE/QU{_base36(quarantine_id)}"


def report_name(version_id: int) -> str:
    return f"REPORTS/CR{_base36(version_id)}.PDF"


def rows_name(family: str) -> str:
    return f"DATA/{family.upper()}.JSONL"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits.rjust(6, "0")
