"""A password typed twice at a terminal, or one line of standard input: never an argument, which others could read."""

from __future__ import annotations

import sys

import click

from core.errors import BadInput
from core.i18n import _


def new_password(what: str, from_stdin: bool) -> str:
    """what: for whom, as the person at the terminal reads it."""
    if from_stdin or not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise BadInput(_("Aucun mot de passe sur l'entrée standard."), "password")
        return password
    password = click.prompt(_("Mot de passe de %s") % what, hide_input=True)
    again = click.prompt(_("Encore une fois"), hide_input=True)
    if password != again:
        raise BadInput(_("Les deux mots de passe diffèrent."), "password")
    return str(password)
