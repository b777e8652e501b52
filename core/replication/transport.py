"""rsync to the second building: a folder of this machine or a daemon, the same arguments for both. Never a shell.

Flags: files whole, synced before their rename, never in place; a cut transfer resumes from its partial file.
Never `-C` (it drops everything called `core`), `--inplace`, `--append` or `--delete`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.errors import BadMessage, Unreachable
from core.i18n import _

FLAGS = (
    "--times",
    "--from0",
    "--files-from=-",
    "--fsync",
    "--whole-file",
    "--partial-dir=.rsync-partial",
    "--temp-dir=spool",
)
CONNECT_S, SILENCE_S = 10, 60
STATE = "replica/state.json"
MISSING = 23  # rsync's « partial transfer »: on the very first contact there is no state yet


class State(msgspec.Struct, frozen=True):
    """What the second building says of itself, rewritten after every segment."""

    epoch: int
    applied: dict[str, int]
    at: str = ""
    trouble: str = ""


NOTHING = State(0, {})


class Rsync:
    """One target. `target` is a folder or `rsync://host:port/module`."""

    def __init__(self, target: str, bandwidth_kbps: int = 0) -> None:
        self.target = target.rstrip("/") + "/"
        self._remote = target.startswith("rsync://")
        self._limit = (f"--bwlimit={bandwidth_kbps}",) if bandwidth_kbps else ()
        self._running: subprocess.Popen[bytes] | None = None

    def push(self, root: Path, paths: Iterable[str]) -> None:
        """Copy files below `root` to the same places there. Raises `Unreachable` unless every one arrived."""
        self._run([*FLAGS, *self._limit, *self._patience(), f"{root}/", self.target], "\0".join(paths).encode())

    def state(self) -> State:
        """Raises `Unreachable`, or `BadMessage` when what lies there is no state."""
        content = self.fetch(STATE)
        if content is None:
            return NOTHING
        try:
            return msgspec.json.decode(content, type=State)
        except msgspec.MsgspecError as fault:
            raise BadMessage(_("Second bâtiment : état illisible (%s).") % STATE, "bad-state") from fault

    def fetch(self, path: str) -> bytes | None:
        """A file there, or None when it does not exist (yet)."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                self._run([*self._patience(), self.target + path, folder + "/"])
            except _Partial:
                return None
            found = Path(folder) / Path(path).name
            return found.read_bytes() if found.exists() else None

    def interrupt(self) -> None:
        """From another thread: a transfer under way ends at once."""
        running = self._running
        if running is not None:
            running.terminate()

    def _patience(self) -> tuple[str, ...]:
        return (f"--contimeout={CONNECT_S}", f"--timeout={SILENCE_S}") if self._remote else ()

    def _run(self, arguments: list[str], words: bytes = b"") -> None:
        program = shutil.which("rsync")
        if program is None:
            raise Unreachable(_("rsync n'est pas installé (apt install rsync)."))
        if not self._remote and not Path(self.target).is_dir():
            raise Unreachable(_("Second bâtiment : le dossier %s n'existe pas.") % self.target)
        with subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            self._running = process
            try:
                _out, said = process.communicate(words)
            finally:
                self._running = None
        if process.returncode:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            sentence = _("Second bâtiment injoignable ou plein : rsync %d, %s") % (process.returncode, last)
            raise (_Partial if process.returncode == MISSING else Unreachable)(sentence)


class _Partial(Unreachable):
    """Some files did not arrive."""
