"""A process as the kernel counts it: memory, descriptors, threads; and the journal of its index."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    resident: int  # bytes
    descriptors: int
    threads: int
    wal: int  # bytes of index.sqlite-wal


class Watched:
    """Samples of one box, one a second, from its start to `stop`."""

    def __init__(self, process: int, data: Path) -> None:
        self._process, self._data = process, data
        self.samples: list[Sample] = []
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join()

    def drift(self, of: Callable[[Sample], int], settled: int, window: int) -> tuple[float, float]:
        """(median just after the first `settled` seconds, median of the end), each over `window` samples."""
        early = self.samples[settled : settled + window]
        assert len(self.samples) >= settled + 2 * window, len(self.samples)
        return statistics.median(map(of, early)), statistics.median(map(of, self.samples[-window:]))

    def _run(self) -> None:
        while not self._leaving.wait(EVERY_S):
            self.samples.append(self._sample())

    def _sample(self) -> Sample:
        place = Path(f"/proc/{self._process}")
        told = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line)
        wal = os.stat(self._data / "index.sqlite-wal").st_size
        resident = int(told["VmRSS"].split()[0]) * 1024
        return Sample(resident, len(os.listdir(place / "fd")), int(told["Threads"]), wal)
