"""`yelen list`: what the screens show, as plain text for scripts, printers and braille displays."""

from __future__ import annotations

from datetime import date, datetime

import click

from core.clock import SystemClock
from core.config import Site
from core.i18n import _
from core.model.names import display_name, split_person_name
from core.model.people import role_word
from core.model.query import DayFilter
from core.rpc.contract import GetDayPage, PrintJobs, Rejections, SearchPatients
from install.calls import FailedFetches, FetchesSoFar, Messages, Quarantined, RefusedCallers, Tasks
from install.french import FrenchGroup
from install.reach import Reach
from install.table import Table, lists, moment


@click.group(name="list", cls=FrenchGroup, help="Les listes en texte simple.")
def listing() -> None: ...


@lists(listing, "Les examens d'un jour.", "day")
@click.option("--day", metavar="AAAA-MM-JJ", default="", help="sinon aujourd'hui")
@click.option("--room", default="", help="une salle")
def _day(box: Reach, site: Site, day: str, room: str) -> Table:
    page = box.ask(GetDayPage(DayFilter(_date(day, site), room=room), 0, 2000))
    return Table(
        (_("HEURE"), _("PATIENT"), _("EXAMEN"), _("SALLE"), _("ÉTAT"), _("NUMÉRO")),
        [
            (
                _hour(line.scheduled_at, site),
                line.patient_name,
                line.exam_label,
                line.room,
                line.status.word,
                line.accession_number,
            )
            for line in page.lines
        ],
    )


@lists(listing, "Chercher un patient.", "patients")
@click.argument("words", nargs=-1, required=True, metavar="NOM...")
def _patients(box: Reach, _site: Site, words: tuple[str, ...]) -> Table:
    found = box.ask(SearchPatients(" ".join(words), 200))
    return Table((_("NUMÉRO"), _("NOM"), _("SEXE")), [(p.number, p.name, p.demographics.sex) for p in found])


@lists(listing, "Les études demandées à d'autres archives, et celles qui n'ont pu venir.", "fetches")
def _fetches(box: Reach, _site: Site) -> Table:
    so_far = [
        (p.ae_title, _("%d à venir, %d reçues (%d images), %d en échec") % (p.queued, p.done, p.images, p.failed), "")
        for p in box.ask(FetchesSoFar())
    ]
    failed = [(f.ae_title, f.study_instance_uid, f.answer) for f in box.ask(FailedFetches())]
    return Table((_("ARCHIVE"), _("ÉTUDE"), _("RAISON")), so_far + failed)


@lists(listing, "Les travaux d'impression.", "prints")
def _prints(box: Reach, _site: Site) -> Table:
    return Table(
        (_("N°"), _("IMPRIMANTE"), _("DOCUMENT"), _("ÉTAT"), _("RAISON")),
        [(j.id, j.printer, j.title, j.state.word, j.reason) for j in box.ask(PrintJobs())],
    )


@lists(listing, "Ce qu'une personne doit regarder, et que faire.", "tasks")
def _tasks(box: Reach, site: Site) -> Table:
    return Table(
        (_("N°"), _("DEPUIS"), _("POUR"), _("QUOI"), _("QUE FAIRE")),
        [(t.id, moment(t.asked_at, site), role_word(t.role), t.text, t.way_out) for t in box.ask(Tasks())],
    )


@lists(listing, "Ce qui a été mis de côté : illisible, ou contraire à un fichier déjà reçu.", "quarantine")
def _quarantine(box: Reach, site: Site) -> Table:
    return Table(
        (_("N°"), _("REÇU"), _("MACHINE"), _("PATIENT"), _("RAISON"), _("FICHIER")),
        [
            (q.id, moment(q.at, site), q.ae_title, display_name(*split_person_name(q.patient)), q.why, q.path)
            for q in box.ask(Quarantined())
        ],
    )


@lists(
    listing,
    "Les images rejetées, sauf pour la sécurité du patient : celles-là sont à l'identitovigilance.",
    "rejections",
)
def _rejections(box: Reach, site: Site) -> Table:
    return Table(
        (_("N°"), _("QUAND"), _("PAR"), _("IMAGES"), _("RAISON"), _("MOTIF"), _("LEVÉ PAR"), _("ÉTUDE")),
        [
            (r.id, moment(r.at, site), r.by, r.images, r.sentence, r.reason, r.undone_by, r.study_instance_uid)
            for r in box.ask(Rejections())
        ],
    )


@lists(listing, "Qui a été refusé à une porte : machines inconnues, expéditeurs non déclarés.", "refused")
def _refused(box: Reach, site: Site) -> Table:
    return Table(
        (_("PORTE"), _("TITRE AE"), _("ADRESSE"), _("RAISON"), _("FOIS"), _("DERNIÈRE")),
        [(r.door, r.ae_title, r.address, r.why, r.times, moment(r.at, site)) for r in box.ask(RefusedCallers())],
    )


@lists(listing, "Les messages HL7 reçus, le dernier d'abord, et ce qu'ils sont devenus.", "messages")
def _messages(box: Reach, site: Site) -> Table:
    return Table(
        (_("N°"), _("REÇU"), _("TYPE"), _("MESSAGE"), _("EXPÉDITEUR"), _("RÉPONSE"), _("ÉTAT"), _("DIT")),
        [
            (
                m.id,
                moment(m.received_at, site),
                m.message_type,
                m.control_id,
                m.sender,
                m.ack_code,
                m.state.word,
                m.text,
            )
            for m in box.ask(Messages())
        ],
    )


def _date(text: str, site: Site) -> date:
    try:
        return date.fromisoformat(text) if text else site.local(SystemClock().now()).date()
    except ValueError:
        raise click.BadParameter(_("« %s » n'est pas une date AAAA-MM-JJ") % text) from None


def _hour(at: datetime | None, site: Site) -> str:
    return f"{site.local(at):%H:%M}" if at else ""
