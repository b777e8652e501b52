"""Keys and passwords on disk are for the account of Yelen alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.i18n import _


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
