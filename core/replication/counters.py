"""The derived columns of studies and series, counted at the second building from its own instance rows."""

from __future__ import annotations

import msgspec

from core.index.counting import SERIES, STUDY
from core.replication.spelling import Execute


class _Series(msgspec.Struct):
    id: int
    study_id: int


class _Instance(msgspec.Struct):
    id: int
    series_id: int | None  # none: hidden


class _Study(msgspec.Struct):
    id: int


class Counters:
    """Those of the studies that a segment touches. Used inside one act."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._studies: set[int] = set()
        self._series: set[int | None] = set()

    def touch(self, table: str, image: msgspec.Raw) -> None:
        """A row of this table changes. For an instance: where it was, and where its image says it is."""
        if table == "study":
            self._studies.add(msgspec.json.decode(image, type=_Study).id)
        elif table == "series":
            series = msgspec.json.decode(image, type=_Series)
            self._studies.add(series.study_id)
            self._series.add(series.id)
        elif table == "instance":
            instance = msgspec.json.decode(image, type=_Instance)
            self._series.add(instance.series_id)
            found = self._execute("SELECT series_id FROM instance WHERE id = ?", (instance.id,)).fetchone()
            self._series |= {found[0]} if found else set()

    def count(self) -> None:
        for series_id in self._series:
            found = self._execute("SELECT study_id FROM series WHERE id = ?", (series_id,)).fetchone()
            self._studies |= {found[0]} if found else set()
        for study_id in self._studies:
            self._execute(SERIES, (study_id,))
            self._execute(STUDY, (study_id,))
