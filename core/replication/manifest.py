"""What a building holds, line by line: every replicated row and every file that a row names, each with its hash.

Made from the files and the database of a data folder, read-only, by plain SQLite: the proof trusts no running code.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from core.archive.disk import Disk, replace
from core.index.tables import DERIVED, REPLICATED
from core.index.triggers import quoted, row_image

REQUEST = re.compile(r"manifest-([0-9a-f]{16})\.request")
PIECE = 1 << 20


def manifest(data: Path) -> Iterator[str]:
    """`R table key hash` for every row, `D table key counters` for derived columns, `F path size hash` for every file.

    The hash of a file is computed from its bytes; `absent` when there is no file, `altéré` when its row says otherwise.
    """
    with sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True) as index:
        index.execute("BEGIN")
        for table in REPLICATED:
            name = table._meta.table_name
            key = quoted(table._meta.primary_key.column_name)  # type: ignore[union-attr]
            query = f"SELECT t.{key}, {row_image(table, 't')} FROM {quoted(name)} t ORDER BY t.{key}"
            for row_key, image in index.execute(query):
                yield f"R {name} {row_key} {hashlib.sha256(image.encode()).hexdigest()}"
            if derived := sorted(DERIVED.get(name, ())):
                listed = ", ".join(quoted(c) for c in derived)
                for row in index.execute(f"SELECT {key}, {listed} FROM {quoted(name)} ORDER BY {key}"):
                    yield f"D {name} {row[0]} {' '.join(str(v) for v in row[1:])}"
        for table_name in ("instance", "quarantine"):
            for path, size, sha256 in index.execute(f"SELECT path, size, sha256 FROM {table_name} ORDER BY path"):
                yield f"F {path} {_measured(data / path, size, sha256)}"


def _measured(path: Path, size: int, sha256: str) -> str:
    if not path.exists():
        return "absent"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    mark = "" if (path.stat().st_size, digest.hexdigest()) == (size, sha256) else " altéré"
    return f"{path.stat().st_size} {digest.hexdigest()}{mark}"


def answer(data: Path) -> None:
    """On the second building: write the manifest that the first one asked for."""
    for request in (data / "inbox").iterdir():
        if found := REQUEST.fullmatch(request.name):
            content = "\n".join(manifest(data)) + "\n"
            replace(Disk(), data / "replica" / f"manifest-{found[1]}.txt", content.encode())
            request.unlink()
