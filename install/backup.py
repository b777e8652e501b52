"""A copy of what is not in the archive's files: the index, the keys, the configuration.

Images are not copied: they are in the archive folder and at the second building. A backup holds the audit key and
every patient's name: it belongs in a safe.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

from core.clock import stamp
from core.config import FILE_NAME
from core.errors import BadInput, Conflict, NotFound, OutOfResources
from core.i18n import _
from core.index.writer import Unit
from core.model.people import Actor
from core.trouble import sentence_of
from install import one_server
from install.calls import Copied
from install.house import House

INDEX = "index.sqlite"
MANIFEST = "sauvegarde.json"


def back_up(house: House, actor: Actor, folder: str) -> Copied:
    """A new folder `yelen-<moment>` inside `folder`, complete and durable on return; the box keeps serving."""
    if not os.path.isabs(folder) or not os.path.isdir(folder):
        raise BadInput(_("%s n'est pas un dossier (chemin complet).") % folder, "folder")
    moment = stamp(house.clock.now())
    target = Path(folder) / f"yelen-{moment[:19].replace(':', '')}"
    part = target.with_name(target.name + ".part")
    try:
        part.mkdir(mode=0o700)
    except FileExistsError:
        raise Conflict(_("Une sauvegarde inachevée occupe %s.") % part) from None
    except OSError as error:
        raise OutOfResources(sentence_of(error)) from error
    try:
        _fill(part, house.config.data, moment)
        part.rename(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(part, ignore_errors=True)  # it holds the keys: nobody may find it later
        why = sentence_of(error) if isinstance(error, OSError) else str(error)
        raise OutOfResources(_("Sauvegarde abandonnée, rien n'en reste. %s") % why) from error

    def act(unit: Unit) -> None:
        unit.audit(actor, "backup", str(target))

    house.services.kit.index.writer.do(act)
    return Copied(str(target), (target / INDEX).stat().st_size)


def _fill(part: Path, data: Path, moment: str) -> None:
    _copy_index(data / INDEX, part / INDEX)
    _copy_keys(data, part)
    _write_manifest(part, moment)
    _sync_tree(part)


def _copy_keys(source: Path, target: Path) -> None:
    """The keys and the configuration."""
    (target / "secrets").mkdir(mode=0o700)
    for key in (source / "secrets").iterdir():
        _copy_private(key, target / "secrets" / key.name)
    _copy_private(source / FILE_NAME, target / FILE_NAME)


def _copy_private(source: Path, target: Path) -> None:
    """For its owner alone from its first byte on."""
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def restore(source: Path, data: Path) -> None:
    """Put a backup in place of the index, keys and configuration of a stopped box; what was there is kept beside it."""
    manifest = _read_manifest(source)
    for name, sha256 in manifest.items():
        if not (source / name).is_file() or _sha256(source / name) != sha256:
            raise Conflict(_("Sauvegarde abîmée : %s. Rien n'a été changé.") % name)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_server.hold(data):
        part = data / "restauration.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        try:
            _copy_private(source / INDEX, part / INDEX)
            _copy_keys(source, part)
            _sync_tree(part)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        aside = _free_name(data / "avant-restauration")
        aside.mkdir(mode=0o700)
        for name in (INDEX, f"{INDEX}-wal", f"{INDEX}-shm", "secrets", FILE_NAME):
            if (data / name).exists():
                (data / name).rename(aside / name)
        for name in ("secrets", FILE_NAME, INDEX):
            (part / name).rename(data / name)
        part.rmdir()
        _sync(data)


def _copy_index(source: Path, target: Path) -> None:
    """SQLite's own online copy: a consistent index, whatever is being written."""
    target.touch(mode=0o600)
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as live, sqlite3.connect(target) as copy:
        live.backup(copy, pages=1000, sleep=0.01)
        copy.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
    live.close()
    copy.close()
    if verdict != "ok":
        raise Conflict(_("L'index copié est abîmé : %s") % verdict)


def _write_manifest(folder: Path, moment: str) -> None:
    files = {str(p.relative_to(folder)): _sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    (folder / MANIFEST).write_text(json.dumps({"at": moment, "sha256": files}, indent=2), encoding="utf-8")


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(sha256) for name, sha256 in told["sha256"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise NotFound(_("%s n'est pas une sauvegarde de Yelen.") % folder) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return candidate


def _sync_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
