"""What a reader really saw of a series: which of its pictures, and at what quality at best.

Pictures are counted in the order in which they were received, every frame of an image for itself: a bit keeps its
place when more images come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import fn

from core.errors import BadInput, NotFound
from core.i18n import _
from core.index.tables import Instance, Series, Study, Viewed
from core.index.writer import Unit
from core.model.people import Actor
from core.model.report import SeriesViewed
from core.services.access import check_study

MOST_FRAMES = 10_000  # of one image that are counted: a header may claim billions
QUALITIES = ("", "APERÇU", "RÉDUIT", "COMPLET")
Picture = tuple[str, int]
"""The key of an image, and a frame of it from 1."""


def check_quality(quality: str) -> None:
    if quality not in QUALITIES:
        raise BadInput(_("Qualité inconnue."), "quality")


def places_of(actor: Actor, series_id: int, pictures: Iterable[Picture]) -> int:
    """The bits of these pictures. Raises `NotFound` for a series or a picture that is not this actor's business."""
    series = Series.get_or_none(Series.id == series_id)
    check_study(actor, Study.get_or_none(Study.id == series.study_id) if series is not None else None)
    first: dict[str, tuple[int, int]] = {}
    total = 0
    images: Any = Instance.select(Instance.key, Instance.frames).where(Instance.series == series_id)
    for key, frames in images.order_by(Instance.id).tuples():
        first[key] = (total, min(frames, MOST_FRAMES))
        total += min(frames, MOST_FRAMES)
    bits = 0
    for key, frame in pictures:
        start, frames = first.get(key, (0, 0))
        if not 1 <= frame <= frames:
            raise NotFound(_("Cette image n'existe pas."))
        bits |= 1 << (start + frame - 1)
    return bits


def add(unit: Unit, actor: Actor, series_id: int, bits: int, quality: str) -> None:
    """Inside an act: these pictures were seen too."""
    row = _row(actor, series_id)
    if row is None:
        Viewed.create(series=series_id, login=actor.name, quality=quality, pictures=f"{bits:x}", at=unit.now)
        return
    best = max(quality, row.quality, key=QUALITIES.index)
    now = Viewed.update(quality=best, pictures=f"{bits | _bits(row):x}", at=unit.now)
    now.where(Viewed.id == row.id).execute()


def is_known(actor: Actor, series_id: int, bits: int, quality: str) -> bool:
    """Whether all of this was noted before."""
    row = _row(actor, series_id)
    return row is not None and not bits & ~_bits(row) and QUALITIES.index(row.quality) >= QUALITIES.index(quality)


def series_viewed(actor: Actor, study_ids: Iterable[int]) -> list[SeriesViewed]:
    """Every series of these studies, and how much of it this person saw."""
    shown = Series.study.in_(list(study_ids)) & (Series.instances > 0)
    series = list(Series.select().where(shown).order_by(Series.number, Series.id))
    ids = [s.id for s in series]
    seen = {v.series_id: v for v in Viewed.select().where(Viewed.login == actor.name, Viewed.series.in_(ids))}
    counted: Any = Instance.select(Instance.series, fn.SUM(fn.MIN(Instance.frames, MOST_FRAMES))).where(
        Instance.series.in_(ids)
    )
    pictures: dict[int, int] = dict(counted.group_by(Instance.series).tuples())
    return [
        SeriesViewed(
            s.id,
            s.description or s.modality or str(s.number or ""),
            s.instances,
            seen[s.id].quality if s.id in seen else "",
            pictures.get(s.id, 0),
            _bits(seen.get(s.id)).bit_count(),
        )
        for s in series
    ]


def _row(actor: Actor, series_id: int) -> Any | None:
    return Viewed.get_or_none(Viewed.series == series_id, Viewed.login == actor.name)


def _bits(row: Any | None) -> int:
    return int(row.pictures or "0", 16) if row is not None else 0
