"""The posts of the department: `yelen tui` on a pseudo-terminal, with somebody before it."""

from __future__ import annotations

from pathlib import Path

from install.demo.accounts import PASSWORD
from tests.install.boxes import ROOT, YELEN
from tests.tui.harness import Terminal


def terminal(data: Path, name: str, columns: int = 80, rows: int = 24) -> Terminal:
    """The program of a post, at its login."""
    call = [*YELEN, "tui", "--data", str(data), "--post", name]
    return Terminal(call, columns=columns, rows=rows, PYTHONPATH=str(ROOT))


def seated(data: Path, name: str, login: str) -> Terminal:
    """Somebody logged in, before the list of the day."""
    post = terminal(data, name)
    post.wait_for("Identifiant")
    post.press(login, "enter")
    post.press(PASSWORD, "enter")
    post.wait_for("page 1/")
    return post
