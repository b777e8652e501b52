"""The demo hospital lives: orders come, machines work, a report reaches the HIS and paper can be printed."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import threading
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


@needs_rsync
def test_a_day_passes_by_itself_and_ends_when_told(tmp_path: Path) -> None:
    data = tmp_path / "demo"
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
    seen, said = set(), []
    try:
        while len(seen) < len(SIGNS):
            said.append(lines.get(timeout=PATIENCE_S))
            seen |= {sign for sign in SIGNS if sign in said[-1]}
        told = next(line for line in said if "Navigateur" in line)
        assert yelen("audit", "verify", data=data).returncode == 0
    except queue.Empty:
        raise AssertionError("".join(said)) from None
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C at the keyboard: the whole group has it
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in (data / "demo.log").read_text()
    port = int(told.strip().rstrip("/").rpartition(":")[2])
    with socket.socket() as line:
        assert line.connect_ex(("127.0.0.1", port)) != 0, "nothing of the demo goes on"
