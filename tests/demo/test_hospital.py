"""The demo hospital lives: orders come, machines work, a report reaches the HIS and paper can be printed."""

from __future__ import annotations

import os
import queue
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.install.boxes import YELEN, environment, yelen
from tests.skips import needs_rsync

PATIENCE_S = 120.0
SIGNS = (
    "L'hôpital de démonstration est ouvert",
    "messages acceptés",
    "est arrivé(e)",
    "hors demande envoyées",
    "à interpréter",
    "compte rendu de SAWADOGO Moussa signé",
    "compte rendu reçu",
)


@contextmanager
def demo(data: Path) -> Iterator[Callable[[], str]]:
    """The demo, started; gives what reads its next line; ends by Ctrl-C at the keyboard: the whole group has it."""
    process = subprocess.Popen(
        [*YELEN, "demo", "--data", str(data), "--speed", "600"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=lambda stream: [lines.put(line) for line in stream], args=(process.stdout,))
    reader.start()
    said = []

    def next_line() -> str:
        try:
            said.append(lines.get(timeout=PATIENCE_S))
        except queue.Empty:
            raise AssertionError("".join(said)) from None
        return said[-1]

    try:
        yield next_line
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in (data / "demo.log").read_text()


def counts(data: Path) -> dict[str, int]:
    """What a morning makes, and a second one would make again."""
    tables = ("patient", "imaging_service_request", "step", "inbox")
    with sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True) as index:
        return {table: index.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


@needs_rsync
def test_a_day_passes_by_itself_and_ends_when_told(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with demo(data) as said:
        seen: set[str] = set()
        while len(seen) < len(SIGNS):
            line = said()
            seen |= {sign for sign in SIGNS if sign in line}
        assert yelen("audit", "verify", data=data).returncode == 0
    morning, told = counts(data), ""
    with demo(data) as said:
        while "messages acceptés" not in (line := said()):
            told = line if "Navigateur" in line else told
    assert counts(data) == morning, "a second start is no second morning"
    port = int(told.strip().rstrip("/").rpartition(":")[2])
    with socket.socket() as line:
        assert line.connect_ex(("127.0.0.1", port)) != 0, "nothing of the demo goes on"
