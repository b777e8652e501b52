"""A terminal without a screen: the real program on a pseudo-terminal, its bytes counted and drawn on a pyte screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import pyte

DEADLINE = 20.0  # seconds; only against hanging
QUIET = 0.12  # seconds: the burst that answers a key is over
BUDGET_QUIET = 0.25  # seconds, where bytes are counted

KEYS = {
    "down": b"\x1b[B",
    "up": b"\x1b[A",
    "left": b"\x1b[D",
    "right": b"\x1b[C",
    "pagedown": b"\x1b[6~",
    "pageup": b"\x1b[5~",
    "home": b"\x1b[1~",
    "end": b"\x1b[4~",
    "delete": b"\x1b[3~",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "enter": b"\r",
    "escape": b"\x1b",
    "backspace": b"\x7f",
    "f1": b"\x1b[[A",
    "f2": b"\x1b[[B",
    "f3": b"\x1b[[C",
    "f4": b"\x1b[[D",
    "f5": b"\x1b[[E",
    "f6": b"\x1b[17~",
    "f7": b"\x1b[18~",
    "f8": b"\x1b[19~",
    "f9": b"\x1b[20~",
    "f10": b"\x1b[21~",
    "f12": b"\x1b[24~",
}


class Terminal:
    """One child on one pty. `term` is its TERM; the size can change; only this child is ever ended.

    boot, opening: what was sent until the login stood, and until the first list did.
    """

    boot = b""
    opening = b""

    def __init__(
        self, argv: Sequence[str], *, term: str = "linux", columns: int = 80, rows: int = 24, **environment: str
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._environment = self._child_environment(term, environment)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A login shell leaves these alone; a test run in the background may ignore them, and that is inherited.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(argv[0], list(argv), self._environment)
        self._set_size(columns, rows)

    @staticmethod
    def _child_environment(term: str, more: dict[str, str]) -> dict[str, str]:
        dropped = ("COLORTERM", "TMUX", "NO_COLOR", "YELEN_ASCII")
        kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("TEXTUAL")}
        return kept | {"TERM": term, "LANG": "C.UTF-8"} | more

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)
        os.kill(self.pid, signal.SIGWINCH)

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.fd, data[:1024]) :]

    def press(self, *keys: str, quiet: float = QUIET) -> bytes:
        """Keys by name, or text as it is typed, in one write; what came back, until all is quiet."""
        self.write(b"".join(KEYS.get(key, key.encode()) for key in keys))
        first = self._read(DEADLINE)
        if not first:
            raise AssertionError(f"no answer to {keys}\n" + self.text)
        self._draw(first)
        return first + self.read_until_quiet(quiet)

    def _read(self, seconds: float) -> bytes | None:
        if not select.select([self.fd], [], [], seconds)[0]:
            return None
        try:
            return os.read(self.fd, 65536)
        except OSError:  # EIO: the child is gone
            return b""

    def _draw(self, data: bytes) -> None:
        # pyte takes the `$p` of a mode query for text.
        for query in (b"\x1b[?2026$p", b"\x1b[?2048$p"):
            data = data.replace(query, b"")
        self._stream.feed(data)

    def read_until_quiet(self, quiet: float = BUDGET_QUIET) -> bytes:
        """Everything until nothing comes for `quiet` seconds; nothing at all when nothing was to come."""
        seen = bytearray()
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            data = self._read(quiet)
            if not data:
                break
            seen += data
        self._draw(bytes(seen))
        return bytes(seen)

    def wait_for(self, text: str) -> bytes:
        """Reads until the text stands on the screen and all is quiet again."""
        return self.wait_until(lambda: any(text in row for row in self.screen.display), text)

    def wait_until(self, reached: Callable[[], bool], what: str = "") -> bytes:
        seen = bytearray()
        end = time.monotonic() + DEADLINE
        while not reached():
            data = self._read(end - time.monotonic())
            if not data or time.monotonic() > end:
                raise AssertionError(f"never came: {what}\n" + self.text)
            seen += data
            self._draw(data)
        return bytes(seen) + self.read_until_quiet(QUIET)

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display)

    def row(self, y: int) -> str:
        return str(self.screen.display[y]).rstrip()

    def reversed_rows(self) -> list[int]:
        """Lines whose first cell is in reverse video."""
        return [y for y in range(self.screen.lines) if self.screen.buffer[y][0].reverse]

    def wait_end(self) -> int:
        """The exit status of the child, once it has ended."""
        while self._read(DEADLINE):
            pass
        ended = os.pidfd_open(self.pid)
        try:
            assert select.select([ended], [], [], DEADLINE)[0], "the terminal is still there"
        finally:
            os.close(ended)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        """Ends the child that was started here, and no other."""
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)
