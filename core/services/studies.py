"""Finding studies and showing their images. Every opening is an audit row; identity shown is the current one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.errors import NotAllowed, OutOfResources, YelenError
from core.i18n import _
from core.imaging.imaging import Imaging
from core.imaging.picture import Description, RenderedFrame
from core.imaging.window import Window
from core.index.finding import search
from core.index.tables import Instance, Series, Study
from core.index.writer import Unit
from core.model.device import Device
from core.model.finding import Found, Search
from core.model.outgoing import Tally
from core.model.people import Actor
from core.model.study import InstanceLine, Match, SeriesLine, StudyLine
from core.services.access import check_exam, check_study, study_row
from core.services.kit import Kit
from core.services.ports import Ports
from core.services.retrieval import Retrieval
from core.services.study_lines import instance_line, series_line, study_line


class Studies:
    """Verbs on archived images."""

    def __init__(self, kit: Kit, ports: Ports, imaging: Imaging | None, retrieval: Retrieval) -> None:
        self._kit = kit
        self._retrieval = retrieval
        self._ports = ports
        self._imaging = imaging

    def search(self, wanted: Search) -> Iterator[Found]:
        """Query/Retrieve (PS3.4 C.4.1): answers newest first, read page by page; stop reading to stop searching."""
        return search(wanted)

    def of_step(self, actor: Actor, step_id: int) -> list[StudyLine]:
        """The studies of an exam."""
        check_exam(actor, step_id)
        shown = (Study.step == step_id) & (Study.instances > 0)
        return [study_line(s) for s in Study.select().where(shown).order_by(Study.id)]

    def get(self, actor: Actor, study_id: int) -> StudyLine:
        return study_line(study_row(actor, study_id))

    def series(self, actor: Actor, study_id: int) -> list[SeriesLine]:
        """Open a study: its series in order. Audited."""
        study = study_row(actor, study_id)
        shown = (Series.study == study_id) & (Series.instances > 0)
        rows = Series.select().where(shown).order_by(Series.number, Series.id)

        def act(unit: Unit) -> None:
            unit.audit(actor, "view_study", f"study:{study_id}", study.patient_id)

        self._kit.act(actor, "view_study", act)
        return [series_line(s) for s in rows]

    def instances(self, actor: Actor, series_id: int) -> list[InstanceLine]:
        """The images of a series, in order."""
        series = Series.get_or_none(Series.id == series_id)
        check_study(actor, Study.get_or_none(Study.id == series.study_id) if series else None)
        rows = Instance.select().where(Instance.series == series_id).order_by(Instance.number, Instance.id)
        return [instance_line(i, self._kit.archive) for i in rows]

    def instance(self, actor: Actor, key: str) -> InstanceLine:
        """One image by its key. Raises `NotFound` when there is none, or none for this actor."""
        return instance_line(self._instance(actor, key), self._kit.archive)

    def frame(
        self,
        actor: Actor,
        key: str,
        frame: int = 1,
        *,
        size: int | None = None,
        window: tuple[float, float] | None = None,
        quality: int = 75,
        fmt: str = "jpeg",
    ) -> RenderedFrame:
        """A picture of a frame (from 1), drawn in the imaging worker. window: (centre, width) in modality values."""
        row = self._instance(actor, key)
        wanted = Window(*window) if window else None
        return self._worker().frame(
            self._kit.archive.absolute(row.path), frame, wanted, size, quality, fmt, key=row.sha256
        )

    def describe(self, actor: Actor, key: str) -> Description:
        """Rows, columns, frames, windows, and why it cannot be shown when it cannot."""
        row = self._instance(actor, key)
        return self._worker().describe(self._kit.archive.absolute(row.path))

    def send(self, actor: Actor, study_id: int, device: Device) -> int:
        """C-STORE of a study to another machine; how many objects it took. One under the overlay stays in the house."""
        study = study_row(actor, study_id)
        if self._ports.store is None:
            raise OutOfResources(_("L'envoi DICOM n'est pas disponible."))
        if study.match == str(Match.UNRECONCILED) and device.role != "workstation":
            raise NotAllowed(_("Identité en cours de vérification : cette étude ne part pas."))
        objects = self._retrieval.of_study(study_id)
        tally, why = Tally(len(objects)), ""
        try:
            self._ports.store(device, objects, self._retrieval.dresser(device), tally)
        except YelenError as error:
            why = str(error)
            raise
        finally:
            outcome = "failed" if why else "partial" if tally.failed else "ok"
            self._retrieval.sent(actor, device.ae_title, objects, tally, outcome, why)
        return tally.completed + tally.warnings

    def _worker(self) -> Imaging:
        if self._imaging is None:
            raise OutOfResources(_("Le rendu des images n'est pas démarré."))
        return self._imaging

    def _instance(self, actor: Actor, key: str) -> Any:
        row: Any = (
            Instance.select(Instance, Series.study.alias("study_id"))
            .join(Series, on=(Instance.series == Series.id))
            .where(Instance.key == key)
            .objects()
            .first()
        )
        check_study(actor, Study.get_or_none(Study.id == row.study_id) if row is not None else None)
        return row
