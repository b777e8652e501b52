"""rsync to the second building: a folder of this machine or a daemon, the same arguments for both. Never a shell.

Files are synced before their rename, never changed in place, never replaced; a cut transfer goes on from its partial
file. Never `-C` (it drops everything called `core`), `--inplace`, `--append`, `--delete`, nor `--whole-file` (with it
a partial file is sent again from its first byte).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from core.errors import Unreachable
from core.i18n import _
from core.replication.state import STATE, State, read_state

FLAGS = (
    "--times",
    "--from0",
    "--files-from=-",
    "--fsync",
    "--ignore-existing",
    "--no-whole-file",
    "--partial-dir=.part",
)
TEMPORARY = "replica/tmp"
CONNECT_S, SILENCE_S = 10, 60
PARTIAL = 23  # rsync's « some files were not transferred »


class Rsync:
    """One target. `target` is a folder or `rsync://host:port/module`."""

    def __init__(self, target: str, bandwidth_kbps: int = 0) -> None:
        self.target = target.rstrip("/") + "/"
        self._remote = target.startswith("rsync://")
        self._limit = (f"--bwlimit={bandwidth_kbps}",) if bandwidth_kbps else ()
        self._running: subprocess.Popen[bytes] | None = None
        self._closed = False

    def push(self, root: Path, paths: Iterable[str]) -> None:
        """Copy files below `root` to the same places there. Raises `Unreachable` unless every one arrived."""
        self._check_folder()
        temporary = f"/{TEMPORARY}" if self._remote else self.target + TEMPORARY  # "/" is the module
        flags = (*FLAGS, f"--temp-dir={temporary}", *self._limit, *self._patience())
        self._run([*flags, f"{root}/", self.target], "\0".join(paths).encode())

    def state(self) -> State:
        """Raises `Unreachable`, also when there is no state yet, or `BadMessage` when what lies there is none.

        No state is never taken for an empty copy: it is a wrong folder, or a disk that is not mounted.
        """
        with tempfile.TemporaryDirectory() as folder:
            found = self.fetch(STATE, Path(folder))
            if found is None:
                raise Unreachable(
                    _("Rien ne reçoit dans %s : « yelen replica apply » y a-t-il tourné ? Le disque est-il monté ?")
                    % self.target.rstrip("/")
                )
            return read_state(found.read_bytes())

    def fetch(self, path: str, folder: Path) -> Path | None:
        """Bring a file of the other side into `folder`; None when it does not exist (yet)."""
        self._check_folder()
        try:
            self._run([*self._limit, *self._patience(), self.target + path, f"{folder}/"])
        except _Partial:
            return None
        found = folder / Path(path).name
        return found if found.exists() else None

    def close(self) -> None:
        """From another thread: a transfer under way ends at once, no other one begins."""
        self._closed = True
        if (running := self._running) is not None:
            running.terminate()

    def _patience(self) -> tuple[str, ...]:
        return (f"--contimeout={CONNECT_S}", f"--timeout={SILENCE_S}") if self._remote else ()

    def _check_folder(self) -> None:
        if not self._remote and not Path(self.target).is_dir():
            raise Unreachable(_("Second bâtiment : le dossier %s n'existe pas.") % self.target)

    def _run(self, arguments: list[str], words: bytes = b"") -> None:
        program = shutil.which("rsync")
        if program is None:
            raise Unreachable(_("rsync n'est pas installé (apt install rsync)."))
        if self._closed:
            raise Unreachable(_("La réplication s'arrête."))
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [program, *arguments], stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, env=_environment()
        ) as process:
            self._running = process
            if self._closed:
                process.terminate()
            try:
                _out, said = process.communicate(words)
            finally:
                self._running = None
        if process.returncode:
            sentence = _("Second bâtiment injoignable ou plein : rsync %d, %s") % (process.returncode, _last(said))
            raise (_Partial if process.returncode == PARTIAL else Unreachable)(sentence)


class _Partial(Unreachable):
    """Some files did not arrive."""


def _environment() -> dict[str, str]:
    """Nothing of the account's own rsync settings: no alias, no other shell, no other language."""
    kept = {name: os.environ[name] for name in ("PATH", "RSYNC_PASSWORD") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "LC_ALL": "C"}


def _last(said: bytes) -> str:
    """The line that tells most: the first complaint, not rsync's own summary."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0][:300] if lines else ""
