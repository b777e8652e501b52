"""Starting the terminal: a terminal that can be drawn on, the environment, the first contact, the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.i18n import _, speak
from tui import surroundings

RELAUNCH = 75  # the core was upgraded: start the new program
FIRST_CONTACT_SECONDS = 1.0  # to show the hospital's name on the first picture; without it the terminal opens anyway


def launch(socket_path: Path, post: str) -> int:
    """The exit status: 0 when the person quits, 2 when this terminal cannot be drawn on."""
    if not surroundings.is_drawable(os.environ.get("TERM", ""), sys.stdin.isatty() and sys.stdout.isatty()):
        print(_("Ce terminal ne peut pas afficher l'écran de Yelen. En lignes simples : yelen list day --text"))
        return 2
    surroundings.prepare()
    from tui.app import Terminal  # Textual reads the environment when it is imported

    terminal = Terminal(socket_path, post or os.environ.get("USER", ""))
    terminal.client.start()
    terminal.client.wait_until_up(FIRST_CONTACT_SECONDS)
    if welcome := terminal.client.link.welcome:
        speak(welcome.language)
    status = terminal.run(mouse=False) or 0
    terminal.client.close()
    if status == RELAUNCH:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return status
