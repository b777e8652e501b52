"""`yelen sender`: the systems that may send HL7 to us."""

from __future__ import annotations

from typing import Any

import click

from core.config import Site
from core.i18n import _
from core.model.device import HisSender
from install.calls import RemoveSender, SaveSender, Senders
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists


class _Pair(click.ParamType[str]):
    """`theirs=ours`."""

    name = "LEUR=NÔTRE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not all(str(value).partition("=")):
            self.fail(_("« %s » : une paire LEUR=NÔTRE est attendue") % value, param, ctx)
        return str(value)


PAIR = _Pair()


@click.group(cls=FrenchGroup, help="Systèmes qui envoient du HL7.")
def sender() -> None: ...


@sender.command(help="Déclarer un expéditeur, ou changer celui qui existe.")
@click.argument("name")
@click.option("--address", "addresses", multiple=True, required=True, help="adresse IP d'où il appelle (répétable)")
@click.option("--application", default="", help="MSH-3 attendu")
@click.option("--facility", default="", help="MSH-4 attendu")
@click.option("--authority", default="", help="autorité crue pour les numéros de patient")
@click.option("--charset", "fallback_charset", default="cp1252", help="jeu de caractères quand MSH-18 ne dit rien")
@click.option("--charset-term", "charset_terms", type=PAIR, multiple=True, help="ce qu'il écrit dans MSH-18=jeu Python")
@click.option("--strict-charset", is_flag=True, help="un MSH-18 faux est refusé au lieu d'être deviné")
@click.option("--version", "default_version", default="2.3.1", help="version quand MSH-12 est vide")
@click.option("--event", "events", multiple=True, metavar="TYPE^ÉVÉNEMENT", help="seul permis (répétable)")
@click.option("--sex", "sexes", type=PAIR, multiple=True, help="ce qu'il écrit dans PID-8=M, F ou O (répétable)")
@click.option("--local-code", is_flag=True, help="le code d'examen est dans OBR-4.4")
@click.option("--no-merge", is_flag=True, help="ses fusions sont refusées")
@click.option("--legacy-merge", is_flag=True, help="A18, A30, A34, A36 et A39 fusionnent comme A40")
@click.option("--enhanced", is_flag=True, help="réponses CA, CE, CR quand MSH-15 le demande")
@click.option("--frame-seconds", type=click.IntRange(1, 600), default=30, help="durée d'un message (30)")
@click.option("--idle-seconds", type=click.IntRange(1, 86400), default=60, help="pause entre deux messages (60)")
@click.option("--off", is_flag=True, help="ne plus l'écouter, sans oublier sa fiche")
@with_place
def add(place: Place, name: str, no_merge: bool, off: bool, **habits: Any) -> None:
    with reach(place) as box:
        box.ask(SaveSender(HisSender(name, may_merge=not no_merge, active=not off, **habits)))
    click.echo(_("Expéditeur %s enregistré.") % name)


@lists(sender, "Les expéditeurs.")
def _senders(box: Reach, _site: Site) -> Table:
    return Table(
        (_("NOM"), _("ADRESSES"), _("MSH-3"), _("MSH-4"), _("AUTORITÉ"), _("ACTIF")),
        [(s.name, s.addresses, s.application, s.facility, s.authority, s.active) for s in box.ask(Senders())],
    )


@sender.command(help="Oublier un expéditeur ; ses messages restent.")
@click.argument("name")
@with_place
def remove(place: Place, name: str) -> None:
    with reach(place) as box:
        box.ask(RemoveSender(name))
    click.echo(_("Expéditeur %s retiré.") % name)
