"""A box in a process of its own, as an administrator runs it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
YELEN = [sys.executable, "-c", "from install.cli import main; main()"]
PASSWORD = "Harmattan-2027"
ANY_PORT = ("dicom.port=0", "hl7.port=0", "web.port=0")
PATIENCE_S = 60.0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


def yelen(*arguments: str, data: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command run to its end."""
    command = [*YELEN, *arguments, *(("--data", str(data)) if data else ())]
    return subprocess.run(
        command, input=stdin, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def init(data: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    options = [word for setting in (*ANY_PORT, *settings) for word in ("--set", setting)]
    return yelen("init", *options, data=data, stdin=f"{PASSWORD}\n")


class Box:
    """`yelen serve`, started. `addresses`: what the line « prêt » said, by door."""

    def __init__(self, data: Path, *settings: str, **variables: str) -> None:
        options = [word for setting in settings for word in ("--set", setting)]
        self.data = data
        self.process = subprocess.Popen(
            [*YELEN, "serve", "--data", str(data), *options],
            env={**environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # with its workers, a group of its own: a power cut takes them all
        )
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._complaints = threading.Thread(target=self._read_complaints, daemon=True)
        self._complaints.start()
        threading.Thread(target=self._read_lines, daemon=True).start()
        self.addresses = self._ready()

    def port(self, door: str) -> int:
        return int(self.addresses[door].rpartition(":")[2])

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def cut(self) -> None:
        """As the power does: the box and its workers, at once. Does not wait."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def _ready(self) -> dict[str, str]:
        line = self._lines.get(timeout=PATIENCE_S)
        if line is None:
            self.process.wait(PATIENCE_S)
            self._complaints.join(PATIENCE_S)
            raise AssertionError(f"exit {self.process.returncode}: {''.join(self.said)}")
        word, *doors = line.split()
        assert word == "prêt", line
        return dict(door.split("=", 1) for door in doors)

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_complaints(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(self.process.stderr)
