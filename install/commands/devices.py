"""`yelen device`: the machines that speak DICOM with us."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, TextIO

import click

from core.config import Site
from core.i18n import _
from core.model.device import Device, identity_of
from core.model.why import Contact, ContactKind
from core.rpc.contract import Devices, RemoveDevice, SaveDevice
from install.calls import DeviceContacts, ProbeDevice
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists, moment


@click.group(cls=FrenchGroup, help="Machines DICOM.")
def device() -> None: ...


@device.command(
    help="Déclarer une machine, ou changer celle qui existe ; ce qu'elle sait de ses listes reste, sauf si on le dit."
)
@click.argument("ae_title")
@click.option("--address", "addresses", multiple=True, required=True, help="adresse IP d'où elle appelle (répétable)")
@click.option("--host", default="", help="adresse où elle écoute, si elle écoute")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="port où elle écoute")
@click.option(
    "--commit-host", default="", help="adresse où elle attend les engagements de stockage, si c'est une autre"
)
@click.option("--commit-port", default=0, type=click.IntRange(0, 65535), help="port où elle les attend")
@click.option("--role", type=click.Choice(["modality", "workstation", "archive", "film"]), default="modality")
@click.option("--room", default="", help="code de sa salle")
@click.option("--modality", default="", help="CT, DX, US, MR …")
@click.option(
    "--charset", default=None, help="jeu de caractères de ses listes de travail (ISO_IR 100, ISO_IR 192, ascii)"
)
@click.option("--window", default=None, type=click.IntRange(0, 31), help="jours avant et après aujourd'hui sans date")
@click.option("--limit", default=None, type=click.IntRange(1), help="réponses au plus à une recherche")
@click.option(
    "--when-cut",
    default=None,
    type=click.Choice(["failure", "warning", "success"]),
    help="ce qu'elle entend quand il y en a plus (A700, B001, 0000)",
)
@click.option("--cr-is-dx/--cr-is-not-dx", default=None, help="CR et DX sont la même chose pour elle")
@click.option(
    "--receives-charset",
    default=None,
    type=click.Choice(["", "ISO_IR 100", "ISO_IR 192", "ascii"]),
    help="jeu de caractères des images qu'on lui envoie ; vide : celui de chaque fichier",
)
@click.option("--uncompressed/--compressed", default=None, help="ne lui envoyer que des images non comprimées")
@click.option("--all-rooms", is_flag=True, help="sa liste de travail montre toutes les salles")
@click.option("--prefetch", is_flag=True, help="archive à qui demander les antérieurs des examens commandés")
@click.option("--tls", is_flag=True, help="elle ne peut appeler qu'en TLS (dicom.tls_port)")
@click.option(
    "--identity", default="", help="nom d'utilisateur DICOM à exiger d'elle ; le mot de passe est tiré et affiché"
)
@click.option("--certificate", type=click.File("r"), help="son certificat PEM : elle seule appelle alors sous ce titre")
@with_place
def add(
    place: Place,
    ae_title: str,
    addresses: tuple[str, ...],
    host: str,
    port: int,
    commit_host: str,
    commit_port: int,
    role: str,
    room: str,
    modality: str,
    charset: str | None,
    window: int | None,
    limit: int | None,
    when_cut: str | None,
    cr_is_dx: bool | None,
    receives_charset: str | None,
    uncompressed: bool | None,
    all_rooms: bool,
    prefetch: bool,
    tls: bool,
    identity: str,
    certificate: TextIO | None,
) -> None:
    passcode = secrets.token_hex(10) if identity else ""
    machine = Device(
        ae_title=ae_title,
        host=host,
        port=port,
        commit_host=commit_host,
        commit_port=commit_port,
        role=role,
        addresses=addresses,
        room=room,
        modality=modality,
        all_rooms=all_rooms,
        prefetch=prefetch,
        tls=tls or certificate is not None,
        certificate=certificate.read() if certificate else "",
        identity=identity_of(identity.encode(), passcode.encode()) if identity else "",
    )
    habits: dict[str, Any] = {
        "charset": charset,
        "worklist_window_days": window,
        "find_limit": limit,
        "when_cut": when_cut,
        "cr_is_dx": cr_is_dx,
        "receives_charset": receives_charset,
        "uncompressed": uncompressed,
    }
    with reach(place) as box:
        known = next((d for d in box.ask(Devices()) if d.key == machine.key), machine)
        kept = {name: getattr(known, name) if said is None else said for name, said in habits.items()}
        box.ask(SaveDevice(replace(machine, **kept)))
    click.echo(_("Machine %s enregistrée.") % ae_title)
    if identity:
        click.echo(
            _("À saisir sur la machine : utilisateur %s, mot de passe %s (il ne sera plus affiché)")
            % (identity, passcode)
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
