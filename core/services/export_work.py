"""What an export still has to do, kept in its own folder so that a second run goes on where the first was cut.

`.work` holds the state and, fixed at the beginning, the list of every file; it goes when the export is complete.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from core.archive.disk import Disk, replace
from core.errors import BadMessage, Conflict
from core.i18n import _
from core.model.export import COPIED, DESCRIPTION, FORMAT, MANIFEST, Asked, Phase, aside_name, hidden_name, image_name
from core.services.export_rows import ASIDE, HIDDEN, IMAGES, REPORTS, Choice

WORK: Final = ".work"


class Image(msgspec.Struct, frozen=True, array_like=True):
    """An image to copy and to name in the DICOMDIR; fields as `export_rows.IMAGES` selects them."""

    study_id: int
    series_id: int
    instance_id: int
    sent_id: str
    sent_issuer: str
    sent_name: str
    sent_birth_date: str
    sent_sex: str
    study_instance_uid: str
    study_date: str
    study_time: str
    study_name: str  # Study ID
    accession_number: str
    study_description: str
    received_at: str
    series_instance_uid: str
    modality: str
    series_number: int | None
    series_description: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    number: int | None
    rows: int | None
    columns: int | None
    path: str
    size: int
    sha256: str

    @property
    def target(self) -> str:
        return image_name(self.study_id, self.series_id, self.instance_id)


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """A file to copy: from the data folder, to the export. is_needed: its absence is a fault."""

    source: str
    target: str
    size: int
    sha256: str
    is_needed: bool = True


class State(msgspec.Struct):
    """How far an export is. at: of its rows; cursor: byte in the list of files; done, total: files."""

    asked: Asked
    at: str
    phase: Phase = Phase.ROWS
    cursor: int = 0
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    counts: dict[str, int] = {}
    faults: list[str] = []
    format: int = FORMAT


class Work:
    """The lists and the state of one export folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work = folder / WORK

    def begin(self, asked: Asked, at: str) -> State:
        """A new beginning in a folder that is empty, ours, or an export that was complete. Raises `Conflict`."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if any(self.folder.iterdir()) and not (self._work.exists() or (self.folder / MANIFEST).exists()):
            raise Conflict(_("%s n'est pas vide et n'est pas un export de Yelen.") % self.folder)
        self._work.mkdir(mode=0o700, exist_ok=True)
        for old in (MANIFEST, DESCRIPTION):  # from now on it is not complete any more
            (self.folder / old).unlink(missing_ok=True)
        return self.keep(State(asked, at))

    def state(self) -> State | None:
        """None when nothing is under way here. Raises `BadMessage` for one that cannot be read."""
        try:
            return msgspec.json.decode((self._work / "state.json").read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as fault:
            raise BadMessage(_("L'export commencé dans %s est illisible : l'effacer.") % self.folder) from fault

    def keep(self, state: State) -> State:
        replace(Disk(), self._work / "state.json", msgspec.json.encode(state))
        return state

    def list_files(self, connection: sqlite3.Connection, choice: Choice) -> tuple[int, int]:
        """Fix the lists: how many files there are to copy, and their bytes."""
        count = size = 0
        rows = connection.execute(IMAGES.format(where=choice.images))
        with (self._work / "files").open("wb") as files, (self._work / "images").open("wb") as images:
            for row in rows:
                image = Image(*row)
                images.write(msgspec.json.encode(image) + b"\n")
                files.write(msgspec.json.encode(Copy(image.path, image.target, image.size, image.sha256)) + b"\n")
                count, size = count + 1, size + image.size
            for copy in _others(connection) if choice.asked.is_all else ():
                files.write(msgspec.json.encode(copy) + b"\n")
                count, size = count + 1, size + copy.size
        where = choice.where("report_version")
        reports = [row[0] for row in connection.execute(REPORTS.format(where=where))]
        (self._work / "reports").write_text(json.dumps(reports), encoding="utf-8")
        return count, size

    def copies(self, cursor: int) -> Iterator[tuple[Copy, int]]:
        """Every file from a byte of the list on, with the byte where the next one is."""
        with (self._work / "files").open("rb") as lines:
            lines.seek(cursor)
            for line in iter(lines.readline, b""):
                yield msgspec.json.decode(line, type=Copy), lines.tell()

    def images(self) -> Iterator[Image]:
        with (self._work / "images").open("rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line, type=Image)

    def reports(self) -> list[int]:
        found: list[int] = json.loads((self._work / "reports").read_text(encoding="utf-8"))
        return found

    def write(self, name: str, content: bytes) -> None:
        """A file of the export, whole or not there."""
        target = self.folder / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        replace(Disk(), target, content)

    def files(self) -> Iterable[Path]:
        """What the export holds besides the files that it copies."""
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if path.is_file() and name.parts[0] not in (WORK, *COPIED) and not path.name.startswith(MANIFEST):
                yield path

    def finish(self) -> None:
        shutil.rmtree(self._work)


def _others(connection: sqlite3.Connection) -> Iterator[Copy]:
    """What no series shows: rejected images and their notes, and what was set aside."""
    for number, path, size, sha256 in connection.execute(HIDDEN):
        yield Copy(path, hidden_name(number), size, sha256)
    for number, path, size, sha256, waits in connection.execute(ASIDE):
        yield Copy(path, aside_name(number), size, sha256, bool(waits))


def described(state: State, site: str, hospital: str, **facts: Any) -> bytes:
    """`EXPORT.JSON`: what this folder is."""
    told = {
        "format": FORMAT,
        "site": site,
        "hospital": hospital,
        "at": state.at,
        "asked": msgspec.to_builtins(state.asked),
    }
    return json.dumps(
        {**told, **facts, "rows": state.counts, "faults": state.faults}, ensure_ascii=False, indent=1
    ).encode()
