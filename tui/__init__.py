"""The terminal face: a client of the socket, for reception, rooms and printing. See README.md."""

from __future__ import annotations

from pathlib import Path


def run(socket_path: Path, post: str = "") -> int:
    """Runs the terminal until the person quits; the exit status. Nothing heavy is imported before this call."""
    from tui.launch import launch

    return launch(Path(socket_path), post)
