"""`yelen user`: the accounts of the people at the hospital."""

from __future__ import annotations

import re
import sys

import click

from core.config import Site
from core.errors import BadInput
from core.i18n import _
from core.model.people import Role, User
from core.rpc.contract import AddUser, RemoveUser, Users
from install.calls import SetSecret
from install.french import FrenchGroup
from install.passwords import new_password
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists

ROLE_NAMES = {role.name.lower().replace("_", "-"): role for role in Role if role is not Role.SYSTEM}


def roles_of(text: str) -> frozenset[Role]:
    """`radiologist,administrator` or the two-letter codes. Raises `BadInput` naming the one that is not known."""
    found = set()
    for name in filter(None, (part.strip().lower() for part in text.split(","))):
        role = ROLE_NAMES.get(name) or next((r for r in ROLE_NAMES.values() if r.value.lower() == name), None)
        if role is None:
            raise BadInput(_("Rôle inconnu : %s. Rôles : %s") % (name, ", ".join(ROLE_NAMES)), "roles")
        found.add(role)
    return frozenset(found)


@click.group(cls=FrenchGroup, help="Comptes des personnes.")
def user() -> None: ...


@user.command(help="Ajouter un compte. Mot de passe sur l'entrée standard, ou demandé.")
@click.argument("login")
@click.option("--name", "full_name", default="", metavar="NOM", help="nom complet")
@click.option("--roles", required=True, metavar="RÔLES", help=", ".join(ROLE_NAMES))
@click.option("--ward", default="", metavar="SERVICE", help="service de soins d'un clinicien")
@click.option("--password-stdin", is_flag=True, help="mot de passe sur la première ligne de l'entrée standard")
@click.option("--pin-stdin", is_flag=True, help="code PIN sur la ligne suivante")
@with_place
def add(place: Place, login: str, full_name: str, roles: str, ward: str, password_stdin: bool, pin_stdin: bool) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", login):
        raise BadInput(_("Compte : 1 à 32 lettres sans accent, chiffres, points ou tirets."), "login")
    wanted = User(login, full_name or login, roles_of(roles), ward)
    password = new_password(login, password_stdin)
    pin = sys.stdin.readline().strip() if pin_stdin else ""
    with reach(place) as box:
        box.ask(AddUser(wanted, password, pin))
    click.echo(_("Compte %s enregistré.") % login)


@user.command(help="Changer le mot de passe d'un compte (et son PIN) ; ses sessions se ferment.")
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="mot de passe sur la première ligne de l'entrée standard")
@click.option("--pin-stdin", is_flag=True, help="code PIN sur la ligne suivante")
@with_place
def password(place: Place, login: str, password_stdin: bool, pin_stdin: bool) -> None:
    secret = new_password(login, password_stdin)
    pin = sys.stdin.readline().strip() if pin_stdin else ""
    with reach(place) as box:
        box.ask(SetSecret(login, secret, pin))
    click.echo(_("Mot de passe de %s changé.") % login)


@lists(user, "Les comptes.")
def _accounts(box: Reach, _site: Site) -> Table:
    return Table(
        (_("COMPTE"), _("NOM"), _("RÔLES"), _("SERVICE"), _("ACTIF"), _("PIN")),
        [(u.login, u.full_name, tuple(sorted(u.roles)), u.ward, u.active, u.has_pin) for u in box.ask(Users())],
    )


@user.command(help="Fermer un compte ; ce qu'il a fait reste dans l'audit.")
@click.argument("login")
@with_place
def remove(place: Place, login: str) -> None:
    with reach(place) as box:
        box.ask(RemoveUser(login))
    click.echo(_("Compte %s fermé.") % login)
