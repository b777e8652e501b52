"""What the corpus says of its own files: one entry a file, and the groups that share a UID with other bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.skips import corpus

COLUMNS = 14  # of a table of DICOM files; those of HL7 messages and volumes have others


@dataclass(frozen=True, slots=True)
class Entry:
    """One DICOM file. syntax: "" when it has no file meta. decodes: pydicom's own verdict; None where nobody tried."""

    path: Path
    said: str  # its name in the manifest
    syntax: str
    name: str  # PN in Unicode
    has_uids: bool
    decodes: bool | None

    @property
    def is_directory(self) -> bool:
        return self.path.name.startswith("DICOMDIR")


def entries() -> list[Entry]:
    """Every DICOM file that the manifest names, in its order; none when the corpus is not here."""
    return [_entry(cells) for cells in _tables() if cells[12] in ("ok", "force")]


def conflicts() -> list[list[str]]:
    """Groups of one SOP Instance UID with different bytes, in the order in which they are to be sent."""
    lines = (line[2:] for line in _lines() if line.startswith("- ") and " ; " in line)
    return [[name.strip() for name in line.split(" ; ")] for line in lines]


def _lines() -> list[str]:
    folder = corpus()
    return [] if folder is None else (folder / "MANIFEST.md").read_text("utf-8").splitlines()


def _tables() -> list[list[str]]:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in _lines() if line.startswith("| ")]
    return [row for row in rows if len(row) == COLUMNS and row[0] != "file"]


def _entry(cells: list[str]) -> Entry:
    folder = corpus()
    assert folder is not None
    said, syntax, decode = cells[0], cells[3], cells[13]
    verdict = None if decode == "—" or decode.startswith("not tried") else decode.startswith("ok")
    return Entry(
        folder / said,
        said,
        "" if syntax == "—" else f"1.2.840.10008.{syntax}",
        cells[8],
        cells[10] != "missing-UID",
        verdict,
    )
