"""`yelen exam`: the catalogue of exams that may be ordered."""

from __future__ import annotations

import click

from core.config import Site
from core.i18n import _
from core.model.order import Exam
from core.rpc.contract import Catalogue
from install.calls import RemoveExam, SaveExam
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists


@click.group(cls=FrenchGroup, help="Examens proposés.")
def exam() -> None: ...


@exam.command(help="Ajouter un examen au catalogue, ou changer celui qui existe.")
@click.argument("code")
@click.argument("label")
@click.option("--modality", required=True, help="CT, DX, US, MR …")
@click.option("--room", "rooms", multiple=True, help="salle où il se fait (répétable)")
@click.option("--minutes", default=20, type=click.IntRange(1, 480), help="durée")
@click.option("--preparation", default="", help="consigne imprimée sur la convocation")
@click.option("--template", default="", help="modèle de compte rendu")
@click.option("--side", is_flag=True, help="le côté doit être dit")
@click.option("--contrast", is_flag=True, help="une injection est possible")
@click.option("--tariff", default=0, type=click.IntRange(0), help="tarif en francs CFA")
@with_place
def add(
    place: Place,
    code: str,
    label: str,
    modality: str,
    rooms: tuple[str, ...],
    minutes: int,
    preparation: str,
    template: str,
    side: bool,
    contrast: bool,
    tariff: int,
) -> None:
    wanted = Exam(
        code=code,
        label=label,
        modality=modality,
        rooms=rooms,
        duration_min=minutes,
        preparation=preparation,
        report_template=template,
        needs_side=side,
        contrast_possible=contrast,
        tariff_fcfa=tariff,
    )
    with reach(place) as box:
        box.ask(SaveExam(wanted))
    click.echo(_("Examen %s enregistré.") % code)


@lists(exam, "Le catalogue.")
def _exams(box: Reach, _site: Site) -> Table:
    return Table(
        (_("CODE"), _("EXAMEN"), _("MODALITÉ"), _("SALLES"), _("MINUTES"), _("TARIF")),
        [(e.code, e.label, e.modality, e.rooms, e.duration_min, e.tariff_fcfa or "") for e in box.ask(Catalogue())],
    )


@exam.command(help="Retirer un examen du catalogue.")
@click.argument("code")
@with_place
def remove(place: Place, code: str) -> None:
    with reach(place) as box:
        box.ask(RemoveExam(code))
    click.echo(_("Examen %s retiré.") % code)
