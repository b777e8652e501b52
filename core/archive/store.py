"""Where files lie: `archive/YYYY/MM/DD/<study-key>/<instance-key>.dcm`, never a name from the wire.

The date is that of the study's first receipt, the study key a keyed hash of its Study Instance UID, the instance key
the epoch and 128 random bits: two buildings never write two files at one path.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from core.archive.disk import Buffer, Disk, ensure_folder, publishing
from core.archive.part10 import META_CAP, read_file_meta
from core.clock import Clock
from core.errors import OutOfResources
from core.i18n import _
from core.trouble import reason_of

PAGE = 900.0  # seconds
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A durable file. path: relative to the data folder. sha256: of the whole file."""

    key: str
    path: str
    size: int
    sha256: str


class Archive:
    """The files of one data folder. Thread-safe."""

    def __init__(self, data: Path, secret: bytes, epoch: int, clock: Clock, disk: Disk | None = None) -> None:
        self.data = data
        self.disk = disk or Disk()
        self._secret = secret
        self._epoch = epoch
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._page_since = clock.monotonic()
        self._settled = False
        self._free: tuple[float, float] = (-10.0, 100.0)
        for name in ("archive", "quarantine", "spool", "cache", "paper"):
            ensure_folder(self.disk, data / name)

    def folder_of(self, study_instance_uid: str, day: date) -> str:
        """The folder of a study first received on `day`, relative to the data folder."""
        key = hmac.new(self._secret, study_instance_uid.encode(), hashlib.sha256).hexdigest()[:24]
        return f"archive/{day:%Y/%m/%d}/{key}"

    def new_key(self) -> str:
        """A name no other file has, in either building: epoch and 128 random bits, hexadecimal."""
        return f"{self._epoch:04x}{secrets.token_hex(16)}"

    def store(self, folder: str, buffers: list[Buffer]) -> StoredFile:
        """A new durable file of these bytes. Raises `OutOfResources` when the disk refuses; nothing is left then."""
        with _refused_in_words():
            self._touch(folder)
            return self._publish(folder, ".dcm", buffers)

    def store_spooled(self, folder: str, head: bytes, spooled: Path) -> StoredFile:
        """As `store`, for a data set that lies in a spool file; copied in pieces, never whole in memory."""
        key = self.new_key()
        path = f"{folder}/{key}.dcm"
        digest, size = hashlib.sha256(head), len(head)
        with _refused_in_words():
            self._touch(folder)
            with publishing(self.disk, self.data / path) as descriptor, spooled.open("rb") as source:
                self.disk.write(descriptor, [head])
                while piece := source.read(PIECE):
                    self.disk.write(descriptor, [piece])
                    digest.update(piece)
                    size += len(piece)
        return StoredFile(key, path, size, digest.hexdigest())

    @contextmanager
    def spooling(self) -> Iterator[tuple[Path, int]]:
        """A file that lasts as long as the block, and a descriptor to write and read it; a start sweeps the others."""
        path = self.data / "spool" / f"{self.new_key()}.spool"
        with _refused_in_words():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield path, descriptor
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """A file that the tombstone in the index, or the other building's, says may go. Durable on return."""
        file = self.data / path
        with suppress(FileNotFoundError):
            self.disk.remove(file)
            self.disk.sync_folder(file.parent)

    def keep_paper(self, document: bytes, suffix: str) -> StoredFile:
        """A document waiting for its printer. Raises `OutOfResources`."""
        with _refused_in_words():
            return self._publish("paper", suffix, [document])

    def _publish(self, folder: str, suffix: str, buffers: list[Buffer]) -> StoredFile:
        key = self.new_key()
        path = f"{folder}/{key}{suffix}"
        with publishing(self.disk, self.data / path) as descriptor:
            self.disk.write(descriptor, buffers)
            self.disk.begin(descriptor)
            digest, size = hashlib.sha256(), 0
            for buffer in buffers:  # while the disk works
                digest.update(buffer)
                size += len(buffer)
        return StoredFile(key, path, size, digest.hexdigest())

    def drop(self, stored: StoredFile) -> None:
        """A file that no row will name: the act that wanted it was refused. Only ever called before any ack."""
        (self.data / stored.path).unlink(missing_ok=True)

    def set_damaged_aside(self, path: str) -> None:
        """A damaged file whose row names a whole one by now: kept beside it, where nothing takes it for an image."""
        with suppress(OSError):
            damaged = self.data / path
            self.disk.rename(damaged, damaged.with_suffix(".damaged"))

    def absolute(self, path: str) -> Path:
        return self.data / path

    def same_dataset(self, path: str, dataset: Buffer, spooled: str = "") -> bool:
        """Whether the data set of a published file is exactly these bytes (or those of a spool file)."""
        with (self.data / path).open("rb") as kept:
            kept.seek(read_file_meta(kept.read(META_CAP)).dataset_offset)
            if spooled:
                with open(spooled, "rb") as other:
                    return _same(iter(lambda: kept.read(PIECE), b""), iter(lambda: other.read(PIECE), b""))
            return _same(iter(lambda: kept.read(PIECE), b""), pieces_of(dataset))

    # Space

    def free_percent(self) -> float:
        """Free space of the data folder's file system, in percent; read at most once a second."""
        now = self._clock.monotonic()
        if now - self._free[0] >= 1.0:
            usage = shutil.disk_usage(self.data)
            self._free = (now, 100.0 * usage.free / usage.total)
        return self._free[1]

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.data).free

    # After a cut

    def _touch(self, folder: str) -> None:
        """The folder exists; the day it belongs to is durably noted, so that a start looks there.

        Notes are kept on two pages of `PAGE` seconds: what is older has its rows or its refusal.
        """
        ensure_folder(self.disk, self.data / folder)
        noted = _noted_as(folder)
        if noted in self._known and self._clock.monotonic() - self._page_since < PAGE:
            return
        with self._lock:
            if self._clock.monotonic() - self._page_since >= PAGE:
                self._turn_the_page()
            if noted not in self._known:
                self._note(noted)
                self._known.add(noted)

    def _turn_the_page(self) -> None:
        page = self.data / "spool" / "touched"
        if self._settled and page.exists():  # else the notes of an earlier run are still needed
            os.replace(page, page.with_suffix(".old"))
        self._known.clear()
        self._page_since = self._clock.monotonic()

    def _note(self, folder: str) -> None:
        path = self.data / "spool" / "touched"
        fresh = not path.exists()
        self.disk.append(path, folder.encode() + b"\n")
        if fresh:
            self.disk.sync_folder(path.parent)

    def touched(self) -> list[str]:
        """The folders where a file may lie that has no row yet: those of the days noted before the last stop."""
        found: dict[str, None] = {}
        for name in ("touched.old", "touched"):
            path = self.data / "spool" / name
            if path.exists():
                for noted in path.read_text("utf-8").split():
                    found |= dict.fromkeys(self._folders_of(noted))
        return list(found)

    def _folders_of(self, noted: str) -> list[str]:
        if not noted.startswith("archive/") or not (self.data / noted).is_dir():
            return [noted]
        return sorted(f"{noted}/{entry.name}" for entry in os.scandir(self.data / noted) if entry.is_dir())

    def settled(self) -> None:
        """Every touched folder has been reconciled with the index."""
        for name in ("touched.old", "touched"):
            (self.data / "spool" / name).unlink(missing_ok=True)
        self._known.clear()
        self._settled = True

    def sweep(self) -> int:
        """Remove the `.part` files of a cut and whatever lies in the spool; how many there were."""
        swept = 0
        for folder in {*self.touched(), "quarantine", "paper", "spool"}:
            for part in (self.data / folder).glob("*.part"):
                part.unlink()
                swept += 1
        for spooled in (self.data / "spool").glob("*.spool"):
            spooled.unlink()
            swept += 1
        return swept

    def files_in(self, folder: str) -> list[str]:
        """The published files of one study folder, relative to the data folder."""
        return sorted(f"{folder}/{f.name}" for f in (self.data / folder).glob("*.dcm"))

    def walk(self) -> Iterator[str]:
        """Every file of the archive, oldest day first."""
        for path in sorted((self.data / "archive").rglob("*.dcm")):
            if path.parent.name == ".part":  # rsync keeps there what a cut transfer left
                continue
            yield str(path.relative_to(self.data))


def _noted_as(folder: str) -> str:
    """A study's folder is noted as its day: a new study costs no note."""
    return folder.rpartition("/")[0] if folder.startswith("archive/") else folder


@contextmanager
def _refused_in_words() -> Iterator[None]:
    """What the disk refuses becomes a sentence."""
    try:
        yield
    except OSError as fault:
        raise OutOfResources(_("Écriture impossible sur le disque : %s") % reason_of(fault)) from fault


def pieces_of(buffer: Buffer) -> Iterator[memoryview]:
    """A buffer in pieces of `PIECE` bytes, without copying."""
    view = memoryview(buffer).cast("B")
    for at in range(0, len(view), PIECE):
        yield view[at : at + PIECE]


def _same(a: Iterable[Buffer], b: Iterable[Buffer]) -> bool:
    return all(x == y for x, y in itertools.zip_longest(a, b))
