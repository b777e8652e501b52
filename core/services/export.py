"""A complete export, in steps: rows of one moment, files as archived, reports on paper, DICOMDIR, fingerprints.

`begin` fixes what goes; `proceed` works for a moment and says how far it is, so that whoever asks can show it, stop and
go on later. A file is in the export whole and equal to its row, or it is a line of the faults. The manifest comes last:
a folder that has one is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

from core.archive.disk import Disk, ensure_folder
from core.clock import stamp
from core.errors import BadInput, Conflict, NotFound, OutOfResources
from core.i18n import _
from core.index.exam_lines import exam_line
from core.index.tables import Audit, Node, ReportVersion
from core.index.writer import Unit
from core.model.export import COPIED, DESCRIPTION, MANIFEST, README, Asked, Phase, Progress, report_name
from core.model.people import Actor, Role
from core.services.access import require
from core.services.export_index import write_dicomdir
from core.services.export_readme import readme
from core.services.export_rows import Choice, one_moment, write_rows
from core.services.export_work import Copy, State, Work, described
from core.services.kit import Kit
from core.services.ports import Ports
from core.services.report_rows import version_of
from core.trouble import reason_of

PIECE: Final = 1 << 20
STEP_S: Final = 1.0
MARGIN: Final = 64 << 20  # bytes left free for reports, the DICOMDIR and the disk's own needs
MOST_FAULTS: Final = 1000


class Export:
    """Verbs of the administrator: everything that is here, in a form that others can read."""

    def __init__(self, kit: Kit, ports: Ports) -> None:
        self._kit = kit
        self._ports = ports
        self._lock = threading.Lock()

    def begin(self, actor: Actor, folder: str, asked: Asked) -> Progress:
        """A new export, or the one that was cut in this folder. folder: a full path, not in the data folder."""
        require(actor, Role.ADMINISTRATOR)
        work = Work(self._checked(folder))
        with self._alone(), _in_words(folder):
            state = work.state()
            if state is not None and state.asked != asked:
                raise Conflict(_("Un autre export est commencé dans %s.") % folder)
            with one_moment(self._kit.config.data) as now:
                choice = Choice(now, asked)
                self._check_room(work.folder, now, choice)
            self._audit(actor, "export", folder, asked, choice)
            state = state or work.begin(asked, stamp(self._kit.now()))
            if state.phase is Phase.ROWS:
                with one_moment(self._kit.config.data) as now:
                    return _told(self._rows(work, state, now, Choice(now, asked)))
            # Whatever lies there is read again: only what is equal to its row stays.
            state.phase, state.cursor, state.done, state.bytes_done, state.faults = Phase.FILES, 0, 0, 0, []
            state.total = sum(1 for _copy in work.copies(0))
            return _told(work.keep(state))

    def proceed(self, actor: Actor, folder: str) -> Progress:
        """About a second of work. Raises `NotFound` when nothing was begun there."""
        require(actor, Role.ADMINISTRATOR)
        work = Work(self._checked(folder))
        with self._alone(), _in_words(folder):
            state = work.state()
            if state is None:
                raise NotFound(_("Aucun export n'est commencé dans %s.") % folder)
            steps: dict[Phase, Callable[[Work, State], State]] = {
                Phase.FILES: self._files,
                Phase.REPORTS: self._reports,
                Phase.INDEX: self._index,
                Phase.SEAL: self._seal,
            }
            if state.phase is Phase.ROWS:
                raise Conflict(_("L'export de %s doit être recommencé.") % folder)
            state = steps[state.phase](work, state)
            if state.phase is Phase.DONE:
                self._audit(actor, "export_done", folder, state.asked, None, faults=len(state.faults), files=state.done)
                work.finish()
            else:
                work.keep(state)
            return _told(state)

    def _checked(self, folder: str) -> Path:
        path = Path(folder)
        if not path.is_absolute() or not path.parent.is_dir() or (path.exists() and not path.is_dir()):
            raise BadInput(_("%s n'est pas un dossier (chemin complet).") % folder, "folder")
        if path.resolve().is_relative_to(self._kit.config.data.resolve()):
            raise BadInput(_("%s est dans le dossier des données : en choisir un autre.") % folder, "folder")
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise Conflict(_("Un export est déjà en train d'écrire."))
        try:
            yield
        finally:
            self._lock.release()

    def _audit(self, actor: Actor, action: str, folder: str, asked: Asked, choice: Choice | None, **facts: Any) -> None:
        patient = choice.patients[0] if choice is not None and not asked.is_all and choice.patients else None

        def act(unit: Unit) -> None:
            unit.audit(actor, action, folder, patient, patient=asked.patient, study=asked.study, **facts)

        self._kit.act(actor, action, act)

    def _check_room(self, folder: Path, now: Connection, choice: Choice) -> None:
        """Raises `OutOfResources` before anything is written."""
        there = folder if folder.exists() else folder.parent
        present = sum(f.stat().st_size for part in COPIED for f in (folder / part).rglob("*") if f.is_file())
        index = 2 * (self._kit.config.data / "index.sqlite").stat().st_size if choice.asked.is_all else 0
        needed = max(choice.bytes_of_files(now) - present, 0) + index + MARGIN
        free = shutil.disk_usage(there).free
        if needed > free:
            raise OutOfResources(
                _("Pas assez de place pour l'export : il faut %.1f Go dans %s, il en reste %.1f.")
                % (needed / 1e9, there, free / 1e9)
            )

    # The phases.

    def _rows(self, work: Work, state: State, now: Connection, choice: Choice) -> State:
        state.counts = write_rows(now, choice, work.folder)
        state.total, state.bytes_total = work.list_files(now, choice)
        state.phase = Phase.FILES
        return work.keep(state)

    def _files(self, work: Work, state: State) -> State:
        until = self._kit.clock.monotonic() + STEP_S
        for copy, after in work.copies(state.cursor):
            fault = self._copied(copy, work.folder / copy.target)
            if fault and len(state.faults) < MOST_FAULTS:
                state.faults.append(fault)
            state.cursor, state.done, state.bytes_done = after, state.done + 1, state.bytes_done + copy.size
            if self._kit.clock.monotonic() >= until:
                return state
        state.phase, state.cursor, state.done, state.total = Phase.REPORTS, 0, 0, len(work.reports())
        return state

    def _copied(self, copy: Copy, target: Path) -> str:
        """The file lies there, equal to its row; else the sentence of what is wrong with it here."""
        if _sha256(target) == copy.sha256:
            return ""
        ensure_folder(Disk(), target.parent)
        part = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        try:
            source = self._kit.archive.absolute(copy.source).open("rb")
        except OSError:
            return _("%s : fichier absent") % copy.source if copy.is_needed else ""
        with source, open(part, "wb", opener=_private) as written:
            while piece := _read(source.read):
                digest.update(piece)
                written.write(piece)
        if digest.hexdigest() != copy.sha256:
            part.unlink()
            return _("%s : fichier abîmé, laissé de côté") % copy.source
        part.rename(target)
        return ""

    def _reports(self, work: Work, state: State) -> State:
        until = self._kit.clock.monotonic() + STEP_S
        wanted = work.reports()
        for version_id in wanted[state.cursor :]:
            row = ReportVersion.get_or_none(ReportVersion.id == version_id)
            exam = exam_line(row.step_id) if row else None
            if row and exam and self._ports.pages:
                work.write(report_name(version_id), self._ports.pages.report(version_of(row), exam).document)
            elif len(state.faults) < MOST_FAULTS:
                state.faults.append(_("compte rendu %d : pas de document") % version_id)
            state.cursor, state.done = state.cursor + 1, state.done + 1
            if self._kit.clock.monotonic() >= until:
                return state
        state.phase, state.cursor = Phase.INDEX, 0
        return state

    def _index(self, work: Work, state: State) -> State:
        there = (image for image in work.images() if (work.folder / image.target).is_file())
        state.faults += write_dicomdir(work.folder, there)
        state.phase = Phase.SEAL
        return state

    def _seal(self, work: Work, state: State) -> State:
        """Description, readme, fingerprints of every file; durable before the manifest has its name."""
        site, node = self._kit.config.site, Node.get()
        head = Audit.select(Audit.seq, Audit.mac).order_by(Audit.seq.desc()).first() if state.asked.is_all else None
        facts = {"epoch": node.epoch, "audit_rows": state.counts.get("audit", 0)} if head else {}
        work.write(DESCRIPTION, described(state, site.authority, site.hospital, **facts))
        work.write(README, readme(state.asked).encode())
        part, count = work.folder / f"{MANIFEST}.part", 0
        with open(part, "w", encoding="utf-8", opener=_private) as lines:
            for name, sha256 in self._fingerprints(work):
                lines.write(f"{sha256}  {name}\n")
                count += 1
        os.sync()
        part.rename(work.folder / MANIFEST)
        Disk().sync_folder(work.folder)
        state.phase, state.done = Phase.DONE, count
        return state

    def _fingerprints(self, work: Work) -> Iterator[tuple[str, str]]:
        for path in work.files():
            yield str(path.relative_to(work.folder)), _sha256(path)
        for copy, _after in work.copies(0):
            if (work.folder / copy.target).is_file():
                yield copy.target, copy.sha256


@contextmanager
def _in_words(folder: str) -> Iterator[None]:
    """What the disk refuses becomes a sentence."""
    try:
        yield
    except OSError as fault:
        raise OutOfResources(_("Écriture impossible dans %s : %s") % (folder, reason_of(fault))) from fault


def _private(path: str, flags: int) -> int:
    """For its owner alone from the first byte; a stick that knows no modes does not mind."""
    return os.open(path, flags, 0o600)


def _told(state: State) -> Progress:
    return Progress(state.phase, state.done, state.total, state.bytes_done, state.bytes_total, tuple(state.faults))


def _sha256(path: Path) -> str:
    """Of a file; "" when it is not there."""
    digest = hashlib.sha256()
    with suppress(FileNotFoundError), path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
        return digest.hexdigest()
    return ""


def _read(read: Callable[[int], bytes]) -> bytes:
    """The next piece; a source that cannot be read further simply ends, and its fingerprint tells."""
    try:
        return read(PIECE)
    except OSError:
        return b""
