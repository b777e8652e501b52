"""What a machine's row can say: one option a field, none of them with a default, so that what is not said stays."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import click

from core.i18n import _
from core.model.device import Device


class _Address(click.ParamType[str]):
    """An IP address, as callers are compared with it."""

    name = "IP"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(ipaddress.ip_address(str(value).strip()))
        except ValueError:
            self.fail(_("« %s » n'est pas une adresse IP") % value, param, ctx)


class _Pem(click.ParamType[str]):
    """What a file holds; no name, nothing."""

    name = "FICHIER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            return ""
        return str(click.File("r").convert(value, param, ctx).read())


def _option(field: str, *names: str, **how: Any) -> Callable[..., Any]:
    return click.option(*names, field, default=None, **how)


CHARSETS = ("ISO_IR 100", "ISO_IR 192", "ascii")
PORT = click.IntRange(0, 65535)
OPTIONS = (
    _option("role", "--role", type=click.Choice(["modality", "workstation", "archive", "film"]), help="ce qu'elle est"),
    _option("addresses", "--address", type=_Address(), multiple=True, help="adresse d'où elle appelle (répétable)"),
    _option("host", "--host", help="adresse où elle écoute, si elle écoute"),
    _option("port", "--port", type=PORT, help="port où elle écoute"),
    _option(
        "commit_host", "--commit-host", help="adresse où elle attend les engagements de stockage, si c'est une autre"
    ),
    _option("commit_port", "--commit-port", type=PORT, help="port où elle les attend"),
    _option("room", "--room", help="code de sa salle"),
    _option("all_rooms", "--all-rooms/--own-room", help="sa liste de travail montre toutes les salles"),
    _option("modality", "--modality", help="CT, DX, US, MR …"),
    _option("cr_is_dx", "--cr-is-dx/--cr-is-not-dx", help="CR et DX sont la même chose pour elle"),
    _option("charset", "--charset", type=click.Choice(CHARSETS), help="jeu de caractères de ses listes"),
    _option(
        "worklist_window_days",
        "--window",
        type=click.IntRange(0, 31),
        help="jours avant et après aujourd'hui sans date",
    ),
    _option("find_limit", "--limit", type=click.IntRange(1), help="réponses au plus à une recherche"),
    _option(
        "when_cut",
        "--when-cut",
        type=click.Choice(["failure", "warning", "success"]),
        help="ce qu'elle entend quand il y en a plus (A700, B001, 0000)",
    ),
    _option(
        "conflict_is_success",
        "--conflict-is-success/--conflict-is-failure",
        help="renvoie-t-elle une image avec d'autres octets : mise de côté, elle entend « succès », non 0111",
    ),
    _option(
        "receives_charset",
        "--receives-charset",
        type=click.Choice(["", *CHARSETS]),
        help="jeu de caractères des images qu'on lui envoie ; vide : celui de chaque fichier",
    ),
    _option("uncompressed", "--uncompressed/--compressed", help="ne lui envoyer que des images non comprimées"),
    _option("prefetch", "--prefetch/--no-prefetch", help="archive à qui demander les antérieurs des examens commandés"),
    _option("pledges", "--pledges/--no-pledges", help="archive à qui demander de répondre des images envoyées"),
    _option("tls", "--tls/--no-tls", help="elle ne peut appeler qu'en TLS (dicom.tls_port)"),
    _option(
        "certificate",
        "--certificate",
        type=_Pem(),
        help="son certificat PEM : elle seule appelle alors sous ce titre (vide : ne plus en demander)",
    ),
    _option(
        "identity",
        "--identity",
        help="nom d'utilisateur DICOM à exiger d'elle ; le mot de passe est tiré et affiché (vide : ne plus l'exiger)",
    ),
    _option("active", "--on/--off", help="l'écouter, ou non sans oublier sa fiche"),
)
SECRETS = {"certificate", "identity"}  # long or telling: shown as there or not


def says_fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every field, on a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def fields_of(machine: Device) -> Iterator[tuple[str, object, str]]:
    """How each field is said, its value, what it is."""
    command = click.Command("device")
    for option in OPTIONS:
        option(command)
    for said in command.params:
        if isinstance(said, click.Option) and said.name:
            value = getattr(machine, said.name)
            yield said.opts[0], bool(value) if said.name in SECRETS else value, said.help or ""
