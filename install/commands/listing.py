"""`yelen list`: what the screens show, as plain text for scripts, printers and braille displays."""

from __future__ import annotations

from datetime import date, datetime, tzinfo

import click

from core.clock import SystemClock
from core.i18n import _
from core.model.names import display_name, split_person_name
from core.model.query import DayFilter
from core.rpc.contract import GetDayPage, PrintJobs, SearchPatients
from install.calls import Messages, Quarantined, RefusedCallers
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach
from install.table import show


@click.group(name="list", cls=FrenchGroup, help="Les listes en texte simple.")
def listing() -> None: ...


@listing.command(help="Les examens d'un jour.")
@click.option("--day", metavar="AAAA-MM-JJ", default="", help="sinon aujourd'hui")
@click.option("--room", default="", help="une salle")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def day(place: Place, day: str, room: str, text: bool) -> None:
    zone = place.config().site.timezone
    wanted = DayFilter(_date(day, zone), room=room)
    with reach(place) as box:
        page = box.ask(GetDayPage(wanted, 0, 2000))
    show(
        (_("HEURE"), _("PATIENT"), _("EXAMEN"), _("SALLE"), _("ÉTAT")),
        [
            (_hour(line.scheduled_at, zone), line.patient_name, line.exam_label, line.room, line.status.word)
            for line in page.lines
        ],
        text,
    )


@listing.command(help="Chercher un patient.")
@click.argument("words", nargs=-1, required=True, metavar="NOM...")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def patients(place: Place, words: tuple[str, ...], text: bool) -> None:
    with reach(place) as box:
        found = box.ask(SearchPatients(" ".join(words), 200))
    show((_("NUMÉRO"), _("NOM"), _("SEXE")), [(p.number, p.name, p.demographics.sex) for p in found], text)


@listing.command(help="Les travaux d'impression.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def prints(place: Place, text: bool) -> None:
    with reach(place) as box:
        jobs = box.ask(PrintJobs())
    show(
        (_("N°"), _("IMPRIMANTE"), _("DOCUMENT"), _("ÉTAT"), _("RAISON")),
        [(j.id, j.printer, j.title, j.state.word, j.reason) for j in jobs],
        text,
    )


@listing.command(help="Ce qui a été mis de côté : illisible, ou contraire à un fichier déjà reçu.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def quarantine(place: Place, text: bool) -> None:
    zone = place.config().site.timezone
    with reach(place) as box:
        kept = box.ask(Quarantined())
    show(
        (_("N°"), _("REÇU"), _("MACHINE"), _("PATIENT"), _("RAISON"), _("FICHIER")),
        [
            (q.id, _moment(q.at, zone), q.ae_title, display_name(*split_person_name(q.patient)), q.why, q.path)
            for q in kept
        ],
        text,
    )


@listing.command(help="Qui a été refusé à une porte : machines inconnues, expéditeurs non déclarés.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def refused(place: Place, text: bool) -> None:
    zone = place.config().site.timezone
    with reach(place) as box:
        callers = box.ask(RefusedCallers())
    show(
        (_("PORTE"), _("TITRE AE"), _("ADRESSE"), _("RAISON"), _("FOIS"), _("DERNIÈRE")),
        [(r.door, r.ae_title, r.address, r.why, r.times, _moment(r.at, zone)) for r in callers],
        text,
    )


@listing.command(help="Les messages HL7 reçus, le dernier d'abord, et ce qu'ils sont devenus.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def messages(place: Place, text: bool) -> None:
    zone = place.config().site.timezone
    with reach(place) as box:
        received = box.ask(Messages())
    show(
        (_("N°"), _("REÇU"), _("TYPE"), _("MESSAGE"), _("EXPÉDITEUR"), _("RÉPONSE"), _("ÉTAT"), _("DIT")),
        [
            (
                m.id,
                _moment(m.received_at, zone),
                m.message_type,
                m.control_id,
                m.sender,
                m.ack_code,
                m.state.word,
                m.text,
            )
            for m in received
        ],
        text,
    )


def _date(text: str, zone: tzinfo) -> date:
    try:
        return date.fromisoformat(text) if text else SystemClock().now().astimezone(zone).date()
    except ValueError:
        raise click.BadParameter(_("« %s » n'est pas une date AAAA-MM-JJ") % text) from None


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%d/%m %H:%M")


def _hour(moment: datetime | None, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%H:%M") if moment else ""
