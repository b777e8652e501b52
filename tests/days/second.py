"""The second building: its own data folder, `yelen replica apply`, and this test's own proof that both agree."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from core.index.tables import REPLICATED
from tests.days.site import SETTINGS
from tests.install.boxes import PASSWORD, YELEN, environment, yelen

HANGING_S = 60.0


class SecondBuilding:
    """Receives from `start` to `close`; its folder is the target of the first one."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "second"
        self._process: subprocess.Popen[str] | None = None
        settings = (*SETTINGS, "replica.role=replica")
        words = [word for setting in settings for word in ("--set", setting)]
        made = yelen("init", "--admin", "gardien", *words, data=self.data, stdin=f"{PASSWORD}\n")
        assert made.returncode == 0, made.stderr

    def start(self) -> SecondBuilding:
        call = [*YELEN, "replica", "apply", "--data", str(self.data)]
        self._process = subprocess.Popen(call, env=environment(), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("prêt")
        return self

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdout is not None
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(HANGING_S)
            self._process.stdout.close()


def hashes(data: Path) -> dict[str, str]:
    """What `sha256sum` says of every file that is kept for ever, by its path."""
    kept = [str(path.relative_to(data)) for name in ("archive", "quarantine") for path in (data / name).rglob("*.dcm")]
    said = subprocess.run(["sha256sum", *kept], cwd=data, capture_output=True, text=True, check=True).stdout
    return {path: sha256 for sha256, path in (line.split() for line in said.splitlines())}


def tables(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that both buildings hold, straight from SQL."""
    with closing(sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True)) as index:
        names = [table._meta.table_name for table in REPLICATED]
        return {name: index.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}


def forge_a_byte(path: Path) -> None:
    """Changes the last bit of a file; twice is not at all."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def forge_a_row(data: Path, sql: str) -> None:
    with closing(sqlite3.connect(data / "index.sqlite")) as index:
        index.execute(sql)
        index.commit()
