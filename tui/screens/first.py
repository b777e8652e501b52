"""The screen a person starts on."""

from __future__ import annotations

from tui.screens.base import Desk


def first_screen() -> Desk:
    """Imported here and not before: nothing is loaded at start that is not shown at start."""
    from tui.screens.day import DayScreen

    return DayScreen()
