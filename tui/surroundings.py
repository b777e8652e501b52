"""What Textual reads from the environment when it is imported: set here first, so that nothing moves by itself."""

from __future__ import annotations

import os

QUIET = {
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
    "TEXTUAL_FPS": "15",
    "TEXTUAL_THEME": "ansi-dark",
}
REMOTE_ESCAPE_MS = "250"  # a 300 ms line splits escape sequences


def prepare() -> None:
    """To be called before the first import of Textual. What the post's own environment says wins."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("ESCDELAY", REMOTE_ESCAPE_MS)


def is_drawable(term: str, is_tty: bool) -> bool:
    """Whether full-screen drawing makes sense: a `dumb` terminal would be sent 70 kB of colours it cannot show."""
    return is_tty and term not in ("", "dumb", "unknown")
