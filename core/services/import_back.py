"""A complete export brought back into a new box: its files at their places, its rows, its audit, and one record more.

The box is stopped and new: `yelen init` and nothing since. Files come first, each equal to its row; then every row in
one transaction, or none. What `init` had made is kept beside the new index. A second run goes on where one was cut.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from core.archive.disk import Disk, ensure_folder, publishing
from core.archive.store import PIECE
from core.clock import Clock
from core.errors import BadMessage, Conflict, NotFound, OutOfResources
from core.i18n import _
from core.index.audit import GENESIS, mac_of, verify
from core.index.opening import Index, open_index
from core.index.tables import REPLICATED, Node, Table
from core.index.triggers import blob_columns, columns, float_columns, quoted
from core.index.writer import Unit
from core.model.export import DESCRIPTION, FORMAT, MANIFEST, Asked, aside_name, hidden_name, image_name, rows_name
from core.model.people import Actor
from core.services.export_rows import FAMILIES

T = TypeVar("T")
OUR_PATH: Final = re.compile(r"(?:archive/\d{4}/\d\d/\d\d/[0-9a-f]{24}|quarantine)/[0-9a-f]{36}\.dcm")
NEW_BOX: Final = ("patient", "step", "study", "inbox", "report_version")  # a new box has no row of these
INDEX: Final = ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm")
TABLES: Final = {t._meta.table_name: t for t in REPLICATED}


@dataclass(slots=True)
class BroughtBack:
    """What came back. missing: files that the export did not have; chain: whether the old audit holds under its key."""

    rows: int = 0
    files: int = 0
    bytes: int = 0
    is_resealed: bool = False
    broken_at: int | None = None
    missing: list[str] = field(default_factory=list)


class Told(msgspec.Struct, frozen=True):
    """What `EXPORT.JSON` says."""

    format: int
    asked: Asked
    site: str = ""
    at: str = ""
    epoch: int = 1


class Line(msgspec.Struct, frozen=True):
    """A line of rows."""

    table: str
    row: dict[str, str | int | None]


class FileRow(msgspec.Struct, frozen=True):
    """What a row says of its file."""

    id: int
    path: str
    size: int
    sha256: str
    series_id: int | None = None
    settled_at: str | None = None


class Parcel:
    """An export's folder, read with suspicion: it is understood, or is `BadMessage`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / MANIFEST).is_file():
            raise NotFound(_("%s n'est pas un export complet de Yelen (pas de %s).") % (folder, MANIFEST))
        self.sha256 = dict(self._fingerprints())
        self.told: Told = _understood(self.read(DESCRIPTION), Told, DESCRIPTION)
        if self.told.format != FORMAT or not self.told.asked.is_all:
            raise Conflict(_("%s ne tient pas tout un service, ou vient d'une autre version de Yelen.") % folder)

    def _fingerprints(self) -> Iterator[tuple[str, str]]:
        for line in (self.folder / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines():
            sha256, _spaces, name = line.partition("  ")
            yield name, sha256

    def read(self, name: str) -> bytes:
        """A file of the export, proved by the manifest."""
        content = (self.folder / name).read_bytes() if name in self.sha256 else b""
        if hashlib.sha256(content).hexdigest() != self.sha256.get(name):
            raise BadMessage(_("Export abîmé : %s. Rien n'a été changé.") % name, "export")
        return content

    def check_rows(self) -> None:
        """Every file of rows is what the manifest says; read in pieces."""
        for family in FAMILIES:
            name = rows_name(family)
            digest = hashlib.sha256()
            if (self.folder / name).is_file():
                with (self.folder / name).open("rb") as file:
                    while piece := file.read(PIECE):
                        digest.update(piece)
            if digest.hexdigest() != self.sha256.get(name):
                raise BadMessage(_("Export abîmé : %s. Rien n'a été changé.") % name, "export")

    def rows(self, family: str) -> Iterator[tuple[type[Table], dict[str, Any]]]:
        """Every line of a family. Raises `BadMessage` for a table or a column that is not ours."""
        with (self.folder / rows_name(family)).open("rb") as lines:
            for line in lines:
                told = _understood(line, Line, rows_name(family))
                table = TABLES.get(told.table)
                if table is None or told.row.keys() != set(columns(table)):
                    raise BadMessage(
                        _("Cet export vient d'une autre version de Yelen (%s).") % told.table[:64], "schema"
                    )
                yield table, told.row

    def files(self) -> Iterator[tuple[str, str, int, str]]:
        """Name in the export, path in the data folder, size and SHA-256 of every image and of what was set aside.

        What was set aside and settled may have gone elsewhere since: then it is not in the export.
        """
        study_of: dict[Any, Any] = {}
        for table, row in self.rows("images"):
            name = table._meta.table_name
            if name == "series":
                study_of[row["id"]] = row["study_id"]
            elif name in ("instance", "quarantine"):
                file = _file(row)
                target = self._name(name, file, study_of)
                if name == "instance" or file.settled_at is None or target in self.sha256:
                    yield target, file.path, file.size, file.sha256

    def _name(self, table: str, file: FileRow, study_of: dict[Any, Any]) -> str:
        if table == "quarantine":
            return aside_name(file.id)
        if file.series_id is None:
            return hidden_name(file.id)
        study = study_of.get(file.series_id)
        if not isinstance(study, int):
            raise BadMessage(_("Export incohérent : %s") % f"instance {file.id}", "export")
        return image_name(study, file.series_id, file.id)


def _understood(content: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as fault:
        raise BadMessage(_("Export illisible : %s") % name, "export") from fault


def _file(row: dict[str, Any]) -> FileRow:
    try:
        return msgspec.convert(row, type=FileRow)
    except msgspec.MsgspecError as fault:
        raise BadMessage(_("Export illisible : %s") % rows_name("images"), "export") from fault


def bring_back(
    data: Path,
    parcel: Parcel,
    actor: Actor,
    clock: Clock,
    take_keys: Callable[[], object] | None,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> BroughtBack:
    """Fill a new box that nobody else holds. Raises `Conflict` for one that is not new.

    take_keys: puts the old site's keys in place; None: the audit is sealed anew. tell: files in place, of how many.
    """
    _check_new(data)
    parcel.check_rows()
    _check_room(data, parcel)
    found = BroughtBack(is_resealed=take_keys is None)
    _bring_files(data, parcel, found, tell)
    _set_aside(data)
    if take_keys is not None:
        take_keys()
    index = open_index(data, clock)
    try:
        index.writer.do(lambda unit: _bring_rows(unit, index, parcel, actor, found))
    finally:
        index.close()
    return found


def _check_new(data: Path) -> None:
    path = data / INDEX[0]
    if not path.exists():
        return
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as index:
        known = {name for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        full = [t for t in NEW_BOX if t in known and index.execute(f"SELECT 1 FROM {t} LIMIT 1").fetchone()]
    index.close()
    if full:
        raise Conflict(_("%s n'est pas une boîte neuve : un export ne se mélange pas à ce qui est là.") % data)


def _check_room(data: Path, parcel: Parcel) -> None:
    needed = sum(size for _n, path, size, _h in parcel.files() if not (data / path).exists())
    free = shutil.disk_usage(data).free
    if needed > free:
        raise OutOfResources(_("Il faut %.1f Go dans %s, il en reste %.1f.") % (needed / 1e9, data, free / 1e9))


def _bring_files(data: Path, parcel: Parcel, found: BroughtBack, tell: Callable[[int, int], object]) -> None:
    total, disk = sum(1 for _file in parcel.files()), Disk()
    for done, (name, path, size, sha256) in enumerate(parcel.files(), 1):
        if OUR_PATH.fullmatch(path) is None:
            raise BadMessage(_("Chemin refusé dans l'export : %s") % path[:80], "path")
        if name not in parcel.sha256:
            found.missing.append(path)
        elif not _is_there(data / path, sha256):
            _bring(disk, parcel.folder / name, data / path, sha256)
        found.files, found.bytes = found.files + 1, found.bytes + size
        tell(done, total)


def _is_there(path: Path, sha256: str) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _bring(disk: Disk, source: Path, target: Path, sha256: str) -> None:
    ensure_folder(disk, target.parent)
    target.unlink(missing_ok=True)
    target.with_name(target.name + ".part").unlink(missing_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as file, publishing(disk, target) as descriptor:
        while piece := file.read(PIECE):
            digest.update(piece)
            disk.write(descriptor, [piece])
        if digest.hexdigest() != sha256:
            raise BadMessage(_("Export abîmé : %s. Rien n'a été changé.") % source.name, "export")


def _set_aside(data: Path) -> None:
    """The index and keys that `init` made, kept under another name; the box has neither until the rows are in."""
    if not (data / INDEX[0]).exists():
        return
    number = 1
    while (aside := data / f"avant-import-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for name in INDEX:
        if (data / name).exists():
            (data / name).rename(aside / name)
    shutil.copytree(data / "secrets", aside / "secrets")


def _bring_rows(unit: Unit, index: Index, parcel: Parcel, actor: Actor, found: BroughtBack) -> None:
    """Every row in one transaction. A patient may name one that comes later: keys are checked at its end."""
    unit.sql("PRAGMA defer_foreign_keys = 1")
    found.rows, previous = 0, GENESIS
    for family in FAMILIES:
        for table, row in parcel.rows(family):
            values = _values(table, row)
            if found.is_resealed and table._meta.table_name == "audit":
                previous = values["mac"] = mac_of(index.audit_key, previous, tuple(values.values())[:-1])
            _insert(unit, table, values)
            found.rows += 1
    if orphan := unit.sql("PRAGMA foreign_key_check").fetchone():
        raise BadMessage(_("Export incohérent : %s") % f"{orphan[0]} → {orphan[2]}", "export")
    unit.chain_goes_on()
    Node.update(epoch=parcel.told.epoch).execute()
    if not (verdict := verify(index.audit_key)).ok:
        found.broken_at = verdict.first_broken
    unit.audit(
        actor,
        "import_export",
        str(parcel.folder),
        outcome="ok" if found.broken_at is None else "chain broken before",
        site=parcel.told.site,
        of=parcel.told.at,
        rows=found.rows,
        files=found.files,
        missing=len(found.missing),
        resealed=found.is_resealed,
    )


def _values(table: type[Table], row: dict[str, Any]) -> dict[str, Any]:
    """Columns with the values that SQLite holds; derived ones begin empty and are counted by triggers."""
    blobs, floats, carried = blob_columns(table), float_columns(table), columns(table)
    values: dict[str, Any] = {}
    for column in carried:
        value = row[column]
        try:
            if value is not None and column in blobs:
                value = bytes.fromhex(value)
            elif value is not None and column in floats:
                value = float(value)
        except (TypeError, ValueError) as fault:
            raise BadMessage(_("Export illisible : %s") % f"{table._meta.table_name}.{column}", "export") from fault
        values[column] = value
    for missing in table._meta.sorted_fields:
        if missing.column_name not in values:
            values[missing.column_name] = None if missing.null else 0
    return values


def _insert(unit: Unit, table: type[Table], values: dict[str, Any]) -> None:
    listed = ", ".join(quoted(name) for name in values)
    marks = ", ".join("?" * len(values))
    try:
        unit.sql(f"INSERT INTO {quoted(table._meta.table_name)} ({listed}) VALUES ({marks})", tuple(values.values()))
    except (sqlite3.IntegrityError, OverflowError) as fault:
        raise BadMessage(_("Export incohérent : %s") % f"{table._meta.table_name} ({fault})", "export") from fault
