"""`yelen device`: the machines that speak DICOM with us."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import click

from core.config import Site
from core.errors import BadInput, NotFound
from core.i18n import _
from core.model.device import Device, ae_key, identity_of
from core.model.why import Contact, ContactKind
from core.rpc.contract import Devices, RemoveDevice, Rooms, SaveDevice
from install.calls import DeviceContacts, ProbeDevice
from install.commands.device_fields import fields_of, says_fields
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists, moment


@click.group(cls=FrenchGroup, help="Machines DICOM.")
def device() -> None: ...


@device.command(help="Déclarer une machine, ou changer celle qui existe : ce qui n'est pas dit reste comme avant.")
@click.argument("ae_title")
@says_fields
@with_place
def add(place: Place, ae_title: str, **options: Any) -> None:
    said = {name: value for name, value in options.items() if value not in (None, ())}
    if said.get("certificate"):
        said.setdefault("tls", True)
    user, passcode = said.get("identity", ""), ""
    if user:
        passcode = secrets.token_hex(10)
        said["identity"] = identity_of(user.encode(), passcode.encode())
    with reach(place) as box:
        known = next((d for d in box.ask(Devices()) if d.key == ae_key(ae_title)), None)
        if known is None and "addresses" not in said:
            raise BadInput(_("%s n'est pas encore déclarée : dire d'où elle appelle, --address.") % ae_title, "address")
        machine = replace(known or Device(ae_title), **said)
        box.ask(SaveDevice(machine))
        rooms = {room.code for room in box.ask(Rooms())}
    click.echo(_("Machine %s enregistrée.") % ae_title)
    if machine.room and machine.room not in rooms:
        click.echo(_("Attention : aucune salle %s (yelen room add).") % machine.room, err=True)
    if user:
        click.echo(
            _("À saisir sur la machine : utilisateur %s, mot de passe %s (il ne sera plus affiché)") % (user, passcode)
        )


@lists(device, "La fiche d'une machine : ce que chaque option de « device add » y a mis.", name="show")
@click.argument("ae_title")
def _card(box: Reach, site: Site, ae_title: str) -> Table:
    machine = next((d for d in box.ask(Devices()) if d.key == ae_key(ae_title)), None)
    if machine is None:
        raise NotFound(_("Aucune machine %s.") % ae_title)
    signs = (
        (_("dernier appel pour essai (C-ECHO)"), machine.last_call_at),
        (_("dernière image"), machine.last_store_at),
        (_("dernière recherche"), machine.last_query_at),
        (_("dernier essai d'ici (yelen device probe)"), machine.last_echo_at),
    )
    return Table(
        (_("OPTION"), _("VALEUR"), _("QUOI")),
        [*fields_of(machine), *(("", moment(at, site), what) for what, at in signs)],
    )


@lists(device, "Les machines déclarées et leur dernier signe de vie.")
def _machines(box: Reach, site: Site) -> Table:
    return Table(
        (_("TITRE AE"), _("RÔLE"), _("ADRESSES"), _("ÉCOUTE"), _("SALLE"), _("ACTIVE"), _("DERNIÈRE IMAGE")),
        [
            (d.ae_title, d.role, d.addresses, _listens(d), d.room, d.active, moment(d.last_store_at, site))
            for d in box.ask(Devices())
        ],
    )


def _listens(machine: Device) -> str:
    return f"{machine.host}:{machine.port}" if machine.host and machine.port else ""


@device.command(help="Oublier une machine ; ses images restent.")
@click.argument("ae_title")
@with_place
def remove(place: Place, ae_title: str) -> None:
    with reach(place) as box:
        box.ask(RemoveDevice(ae_title))
    click.echo(_("Machine %s retirée.") % ae_title)


@device.command(help="Appeler une machine (C-ECHO).")
@click.argument("ae_title")
@with_place
def probe(place: Place, ae_title: str) -> int:
    with reach(place) as box:
        answer = box.ask(ProbeDevice(ae_title))
    for line in answer.lines:
        click.echo(line)
    return 0 if answer.ok else 1


@device.command(help="Ce qu'une machine a tenté et demandé dernièrement.")
@click.argument("ae_title")
@click.option("--keys", is_flag=True, help="avec les clés de chaque requête, telles que reçues")
@with_place
def contacts(place: Place, ae_title: str, keys: bool) -> None:
    site = place.config().site
    with reach(place) as box:
        found = box.ask(DeviceContacts(ae_title))
    for contact in found:
        click.echo(" ".join((moment(contact.at, site), f"{contact.calling}@{contact.address}", _became(contact))))
        for key in contact.keys if keys else ():
            click.echo(f"    {key}")


def _became(contact: Contact) -> str:
    if contact.kind is ContactKind.QUERY:
        cut = _(" (limite atteinte)") if contact.limited else ""
        return _("requête : %s") % (
            _("%d réponse(s)") % contact.answers + cut if contact.result == "answered" else contact.result
        )
    if contact.result != "opened":
        return _("association refusée : %s") % contact.result
    return _("association, liste de travail : %s") % {
        "accepted": _("proposée"),
        "not proposed": _("non proposée"),
    }.get(contact.worklist, _("syntaxes refusées (%s)") % contact.worklist)
