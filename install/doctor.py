"""The doctor: what would stop this box, or hurt it, said before it happens. Changes nothing.

A check gives findings; adding one is a function and a line in `CHECKS`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.config import Config
from core.i18n import _

GOOD, WARNING, FAULT = "bon", "attention", "faute"
SAFE_RSYNC = (3, 5, 0)  # fixes of link following in --files-from


@dataclass(frozen=True, slots=True)
class Finding:
    """level: GOOD, WARNING or FAULT. sentence: French, with what to do."""

    level: str
    sentence: str


def examine(config: Config, running: bool) -> Iterator[Finding]:
    for check in CHECKS:
        yield from check(config, running)


def the_program(_config: Config, _running: bool) -> Iterator[Finding]:
    """Another distribution with a top-level `core` overwrites ours without a word."""
    import core

    found = Path(core.__file__ or "").resolve().parent.parent
    home = _home_of_ours()
    if home is None or found == home:
        yield Finding(GOOD, _("Yelen %s, Python %s") % (importlib.metadata.version("yelen"), sys.version.split()[0]))
    else:
        yield Finding(FAULT, _("Un autre logiciel a pris la place de notre paquet « core » : %s") % found)


def _home_of_ours() -> Path | None:
    """The folder where our distribution put `core`, or whence an editable install reads it."""
    ours = importlib.metadata.distribution("yelen")
    direct = json.loads(ours.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        return Path(str(direct["url"]).removeprefix("file://")).resolve()
    recorded = [f for f in ours.files or [] if str(f) == "core/__init__.py"]
    return Path(str(recorded[0].locate())).resolve().parent.parent if recorded else None


def the_index(config: Config, running: bool) -> Iterator[Finding]:
    path = config.data / "index.sqlite"
    if not path.exists():
        yield Finding(WARNING, _("Pas encore d'index : le premier démarrage le crée."))
        return
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        connection.close()
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict == "ok":
        yield Finding(GOOD, _("Index sain (%.1f Mo)") % (path.stat().st_size / 1e6))
    else:
        yield Finding(FAULT, _("Index abîmé (%s) : « yelen restore », ou le second bâtiment.") % verdict)


def the_disk(config: Config, running: bool) -> Iterator[Finding]:
    usage = shutil.disk_usage(config.data)
    free = 100 * usage.free / usage.total
    told = _("%.0f %% du disque libre (%.1f Go)") % (free, usage.free / 1e9)
    if free < config.storage.reserve_percent:
        yield Finding(FAULT, told + _(" : les images sont refusées."))
    elif free < config.storage.warn_percent:
        yield Finding(WARNING, told)
    else:
        yield Finding(GOOD, told)


def the_browser_files(_config: Config, _running: bool) -> Iterator[Finding]:
    import kiosk

    vendor = Path(kiosk.__file__ or "").parent / "static" / "vendor"
    missing = [name for name in ("htmx.min.js",) if not (vendor / name).exists()]
    if missing:
        yield Finding(
            WARNING, _("Fichiers du navigateur absents (%s) : ./install/start --setup-only") % ", ".join(missing)
        )
    else:
        yield Finding(GOOD, _("Fichiers du navigateur en place"))


def the_copy(config: Config, _running: bool) -> Iterator[Finding]:
    if not config.replica.target:
        if config.replica.role == "primary":
            yield Finding(WARNING, _("Pas de second bâtiment (replica.target)."))
        else:
            yield Finding(GOOD, _("Ce dossier est la copie du site principal (replica.role)."))
        return
    version = _rsync_version()
    if version is None:
        yield Finding(FAULT, _("rsync absent : apt-get install rsync"))
    elif version < SAFE_RSYNC:
        yield Finding(WARNING, _("rsync %s : une version ≥ 3.5.0 corrige des failles.") % ".".join(map(str, version)))
    else:
        yield Finding(GOOD, _("rsync %s") % ".".join(map(str, version)))


def _rsync_version() -> tuple[int, ...] | None:
    program = shutil.which("rsync")
    if program is None:
        return None
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    found = re.search(r"version v?(\d+)\.(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def the_account(_config: Config, _running: bool) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding(WARNING, _("Le serveur est lancé par root : un compte à lui suffit."))


CHECKS: tuple[Callable[[Config, bool], Iterator[Finding]], ...] = (
    the_program,
    the_account,
    the_index,
    the_disk,
    the_browser_files,
    the_copy,
)
