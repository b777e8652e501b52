"""The bench kit (load generators, servers to compare with), found at $YELEN_BENCH or beside the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BESIDE = Path(__file__).parents[3] / "shared" / "bench"


def folder() -> Path:
    """Exits with what to do when there is no kit."""
    found = Path(os.environ.get("YELEN_BENCH", BESIDE))
    if not (found / "bench.py").is_file():
        raise SystemExit("no bench kit: set YELEN_BENCH to the folder of its bench.py")
    return found


def measure(work: Path, *arguments: str) -> dict[str, Any]:
    """One figure of the kit; its text is shown while it runs. The kit's JSON."""
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        command = [sys.executable, str(folder() / "bench.py"), *arguments, "--work", str(work), "--json", answer.name]
        subprocess.run(command, check=False)
        told = Path(answer.name).read_text("utf-8")
    found: dict[str, Any] = json.loads(told) if told else {"sections": [], "notes": ["not measured"], "failed": True}
    return found


def make_data(work: Path) -> None:
    subprocess.run([sys.executable, str(folder() / "bench.py"), "data", "--work", str(work)], check=True)


@contextmanager
def peer(work: Path, kind: str, *options: str) -> Iterator[str]:
    """A server of the kit, empty, as a `--target` value. The name is the kind."""
    servers = [sys.executable, str(folder() / "servers.py")]
    where = ["--work", str(work)]
    started = subprocess.run(
        [*servers, "start", kind, "--empty", *options, *where], check=True, capture_output=True, text=True
    )
    try:
        yield started.stdout.partition("--target ")[2].split()[0]
    finally:
        subprocess.run([*servers, "stop", kind, *where], check=False, capture_output=True)
