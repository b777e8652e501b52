"""Where the socket is: long paths, file mode, stale sockets, and who is at the other end.

A Unix socket path holds 107 bytes. A longer one is reached through a descriptor of its folder, so the file is always
where the configuration says, and never in a shared folder where another user could sit on its name.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import Conflict, Unreachable
from core.i18n import _

LONGEST = 100  # bytes; sun_path holds 108 with its final zero
MODE = 0o660


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A spelling of the path short enough for `bind` and `connect`."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, backlog: int = 64) -> socket.socket:
    """A listening socket of mode 0660 at `path`. Raises `Conflict` when somebody listens there or it is no socket."""
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as spelled:
            listening.bind(spelled)
        # Nobody can connect before `listen`, so the mode is right from the first connection on.
        path.chmod(MODE)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(_("%s existe et n'est pas une socket : rien n'est effacé.") % path)
    if not _is_refused(path):
        raise Conflict(_("Un serveur Yelen écoute déjà sur %s.") % path)
    path.unlink(missing_ok=True)


def _is_refused(path: Path) -> bool:
    """Whether nobody listens any more; any other answer than a refusal leaves the file alone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, reachable(path) as spelled:
        probe.settimeout(1.0)
        try:
            probe.connect(spelled)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False


def connect(path: Path, timeout: float) -> socket.socket:
    """A connected socket. Raises `Unreachable` when nobody listens or this user may not connect."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(timeout)
    try:
        with reachable(path) as spelled:
            connected.connect(spelled)
    except PermissionError as error:
        connected.close()
        raise Unreachable(_("Ce compte n'a pas le droit d'ouvrir %s.") % path) from error
    except OSError as error:
        connected.close()
        raise Unreachable(_("Serveur arrêté.")) from error
    return connected


def peer_uid(connection: socket.socket) -> int:
    """The kernel's word for who connected: uid of SO_PEERCRED (`struct ucred`: pid, uid, gid)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of a socket file, to remove at the end only what was made here."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def remove(path: Path, made: tuple[int, int]) -> None:
    with suppress(FileNotFoundError):
        if identity(path) == made:
            path.unlink()
