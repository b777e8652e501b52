"""`yelen sender`: the systems that may send HL7 to us."""

from __future__ import annotations

import click

from core.i18n import _
from core.model.device import HisSender
from install.calls import RemoveSender, SaveSender, Senders
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach
from install.table import show


@click.group(cls=FrenchGroup, help="Systèmes qui envoient du HL7.")
def sender() -> None: ...


@sender.command(help="Déclarer un expéditeur, ou changer celui qui existe.")
@click.argument("name")
@click.option("--address", "addresses", multiple=True, required=True, help="adresse IP d'où il appelle (répétable)")
@click.option("--application", default="", help="MSH-3 attendu")
@click.option("--facility", default="", help="MSH-4 attendu")
@click.option("--authority", default="", help="autorité crue pour les numéros de patient")
@click.option("--charset", default="cp1252", help="jeu de caractères quand MSH-18 ne dit rien")
@click.option("--no-merge", is_flag=True, help="ses fusions sont des propositions")
@with_place
def add(
    place: Place,
    name: str,
    addresses: tuple[str, ...],
    application: str,
    facility: str,
    authority: str,
    charset: str,
    no_merge: bool,
) -> None:
    wanted = HisSender(
        name=name,
        addresses=addresses,
        application=application,
        facility=facility,
        authority=authority,
        may_merge=not no_merge,
        fallback_charset=charset,
    )
    with reach(place) as box:
        box.ask(SaveSender(wanted))
    click.echo(_("Expéditeur %s enregistré.") % name)


@sender.command(name="list", help="Les expéditeurs.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def list_(place: Place, text: bool) -> None:
    with reach(place) as box:
        senders = box.ask(Senders())
    show(
        (_("NOM"), _("ADRESSES"), _("MSH-3"), _("MSH-4"), _("AUTORITÉ"), _("ACTIF")),
        [(s.name, s.addresses, s.application, s.facility, s.authority, s.active) for s in senders],
        text,
    )


@sender.command(help="Oublier un expéditeur ; ses messages restent.")
@click.argument("name")
@with_place
def remove(place: Place, name: str) -> None:
    with reach(place) as box:
        box.ask(RemoveSender(name))
    click.echo(_("Expéditeur %s retiré.") % name)
