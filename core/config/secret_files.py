"""Keys and passwords on disk: made whole, and for the account of Yelen alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from core.errors import BadConfig
from core.i18n import _

KEY_BYTES = 32


def secret_faults(folder: Path) -> list[str]:
    """One French line per secret that other accounts could read or change. No folder: no secret, no fault."""
    if not folder.is_dir():
        return []
    open_to_others = [path for path in (folder, *sorted(folder.iterdir())) if _is_open(path)]
    return [_("%s : lisible par d'autres comptes (chmod %s %s)") % (p, _mode(p), p) for p in open_to_others]


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(os.stat(path).st_mode) & 0o077)


def _mode(path: Path) -> str:
    return "700" if path.is_dir() else "600"


def load_key(path: Path) -> bytes:
    """A key of this box, 32 bytes; made on first use, 0600. Raises `BadConfig` for one that a power cut emptied."""
    if not path.exists():
        _make_key(path)
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise BadConfig([_("%s : clé abîmée. La reprendre de la dernière sauvegarde, puis redémarrer.") % path])
    return key


def _make_key(path: Path) -> None:
    """Whole under its name or not there: a key cut half way would seal nothing and could never be made again."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
