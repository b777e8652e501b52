"""Which screen a person starts on: the day for reception, the room console for technologists."""

from __future__ import annotations

from core.model.people import Role
from core.rpc.contract import Person
from tui.screens.base import Desk


def first_screen(person: Person) -> Desk:
    """Imported here and not before: only the first screen of the post is loaded at start."""
    from tui.screens.day import DayScreen

    return DayScreen()


def works_in_a_room(person: Person) -> bool:
    return Role.TECHNOLOGIST in person.roles and Role.RECEPTION not in person.roles
