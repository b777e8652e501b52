"""Searches in the archive: candidate studies from one index, then rows page by page, newest study first.

Rule 1: SQL may let through too much, never too little; the keys have the last word on every row.
Rule 2: a page is copied out before anything is sent: no transaction spans a socket.
Rule 3: never LIKE: names and numbers are ranges of an index, the rest of a pattern is `instr`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from core.index.find_columns import EXPRESSIONS, FROM
from core.index.find_conditions import LAST, SEVERAL, Condition, latin, name_pieces, narrow, values, where
from core.index.tables import database
from core.model.finding import SELECTIVE_LETTERS, UNIQUE_KEYS, Found, Level, Search, beginning, few_days
from core.model.matching import Days, Key, Like, Name, OneOf
from core.model.names import fold

PAGE: Final = {Level.PATIENT: 512, Level.STUDY: 512, Level.SERIES: 64, Level.IMAGE: 4}  # studies read at once
_FIRST_PAGE: Final = 16  # a short answer costs little
_NEAR_DAYS: Final = 7
RECENT: Final = 20_000  # studies
_OWN: Final = "s.patient_id, s.accession_number, s.name, s.birth_date, s.sex"
_WITHIN: Final = {Level.SERIES: ", r.number, r.id", Level.IMAGE: ", r.number, r.id, i.number, i.id"}


def search(wanted: Search) -> Iterator[Found]:
    """The answers, at most `limit`, read page by page."""
    return _Reading(wanted).answers()


class _Reading:
    """One search while it is read."""

    def __init__(self, wanted: Search) -> None:
        self._wanted = wanted
        self._bearers = _bearers(wanted.keys)
        self._narrow = narrow(wanted, self._bearers)
        checked = {*wanted.keys, *(("study_date", "study_time") if wanted.moments else ())}
        self._names = tuple(sorted({*wanted.asked, *checked, UNIQUE_KEYS[wanted.level], "patient_id"}))

    def answers(self) -> Iterator[Found]:
        given, patients = 0, set()
        sql, bound = self._statement(), values(self._narrow.study, self._narrow.below)
        for ids in self._pages():
            for row in database.execute_sql(sql, (json.dumps(ids), *bound)).fetchall():
                patient, sent_accession, *identity = row[:5]
                found = dict(zip(self._names, map(_text, row[5:]), strict=True))
                if not self._fits(found, patient, sent_accession):
                    continue
                if self._wanted.level is Level.PATIENT:
                    who = patient or (found["patient_id"], *identity)
                    if who in patients:
                        continue
                    patients.add(who)
                yield found
                given += 1
                if given >= self._wanted.limit:
                    return

    def _statement(self) -> str:
        level = self._wanted.level
        columns = ", ".join(EXPRESSIONS[name] for name in self._names)
        more = where([*self._narrow.study, *self._narrow.below], plus=True)
        return (
            f"SELECT {_OWN}, {columns} FROM {FROM[level]} WHERE s.id IN (SELECT value FROM json_each(?)) AND {more} "
            f"ORDER BY +s.study_date DESC, +s.id DESC{_WITHIN.get(level, '')}"
        )

    def _fits(self, found: Found, patient: int | None, sent_accession: str) -> bool:
        for name, key in self._wanted.keys.items():
            if key.fits(found[name]):
                continue
            if name in ("patient_id", "issuer_of_patient_id") and patient in self._bearers:
                continue  # an old number, or one of another issuer
            if name == "accession_number" and key.fits(sent_accession):
                continue
            return False
        moments = self._wanted.moments
        return moments is None or moments.fits(found["study_date"] + found["study_time"])

    # Candidates

    def _pages(self) -> Iterator[list[int]]:
        size = PAGE[self._wanted.level]
        first = min(_FIRST_PAGE, size)
        for ids in self._candidates():
            yield ids[:first]
            yield from (ids[at : at + size] for at in range(first, len(ids), size))
            first = size

    def _candidates(self) -> Iterator[list[int]]:
        name, days = self._wanted.keys.get("patient_name"), self._wanted.keys.get("study_date")
        if self._narrow.few:
            conditions = self._narrow.study
            sql = f"SELECT s.study_date, s.id FROM study s WHERE {where(conditions, plus=True)}"
            yield _newest_first(database.execute_sql(sql, values(conditions)).fetchall())
        elif isinstance(name, Name) and name.sounds:
            yield _sounding(name)
        elif isinstance(name, Name) and _name_leads(name, days):
            yield from self._by_name(name, days if isinstance(days, Days) else None)
        else:
            yield from self._by_date()

    def _by_name(self, name: Name, days: Days | None) -> Iterator[list[int]]:
        """From the index of names. All of it is read for `*AWA*`: what is recent may be enough, and comes first."""
        recent = "" if beginning(latin(name)) else _recent()
        if recent:
            yield from self._by_date(recent)
        yield _newest_first([row for row in _named(name, days) if not recent or row[0] < recent])

    def _by_date(self, since: str = "") -> Iterator[list[int]]:
        """Down the index of dates, one page after another."""
        conditions, size = [*self._narrow.study], PAGE[Level.STUDY]
        if since:
            conditions.append(Condition("s.study_date >= ?", (since,)))
        sql = f"SELECT s.study_date, s.id FROM study s WHERE {where(conditions, plus=False)}"
        order = f"ORDER BY s.study_date DESC, s.id DESC LIMIT {size}"
        after: tuple[Any, ...] = ()
        while True:
            more = " AND (s.study_date, s.id) < (?, ?)" if after else ""
            rows = database.execute_sql(f"{sql}{more} {order}", (*values(conditions), *after)).fetchall()
            if rows:
                yield [row[1] for row in rows]
            if len(rows) < size:
                return
            after = rows[-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _newest_first(rows: list[tuple[str, int]]) -> list[int]:
    return [study for _day, study in sorted(set(rows), reverse=True)]


def _recent() -> str:
    """The day from which the newest studies are; "" when there are no older ones."""
    sql = f"SELECT study_date FROM study ORDER BY study_date DESC LIMIT 1 OFFSET {RECENT}"
    found = database.execute_sql(sql).fetchone()
    return str(found[0]) if found else ""


# Names


def _name_leads(name: Name, days: Key | None) -> bool:
    """Whether the index of names reads fewer rows than the index of dates."""
    if not name_pieces(name):
        return False
    near = isinstance(days, Days) and few_days(days, _NEAR_DAYS)
    return not near or len(beginning(latin(name))) >= SELECTIVE_LETTERS


def _named(name: Name, days: Days | None) -> list[tuple[str, int]]:
    """From the index of names alone. Names of several component groups are a range of their own."""
    prefix, pieces = fold(beginning(latin(name)).replace("^", " ")), name_pieces(name)
    when = " AND study_date >= ? AND study_date <= ?" if days else ""
    bounds = (days.low or "0", days.high or "9") if days else ()
    sql = "SELECT study_date, id FROM study INDEXED BY study_name_key_study_date WHERE {}" + when
    inside = "name_key BETWEEN ? AND ?" + " AND instr(name_key, ?) > 0" * len(pieces)
    rows: list[tuple[str, int]] = []
    rows += database.execute_sql(sql.format(inside), (prefix, prefix + LAST, *pieces, *bounds)).fetchall()
    rows += database.execute_sql(sql.format("name_key >= ? AND name_key < ?"), (*SEVERAL, *bounds)).fetchall()
    return rows


def _sounding(name: Name) -> list[int]:
    """Studies of patients whose name sounds or is spelled so, and all that hang on no patient."""
    inside = " AND ".join("instr(' ' || sound_key, ?) > 0" for _ in name.sounds)
    patients = database.execute_sql(
        f"SELECT id FROM patient INDEXED BY patient_sound_key WHERE {inside}", tuple(f" {s}" for s, _b in name.sounds)
    ).fetchall()
    rows = database.execute_sql(
        "SELECT study_date, id FROM study WHERE patient_id IN (SELECT value FROM json_each(?)) OR patient_id IS NULL",
        (json.dumps([row[0] for row in patients]),),
    ).fetchall()
    spelled = Name(name.patterns)
    return _newest_first(rows + (_named(spelled, None) if name_pieces(spelled) else []))


# Numbers


def _bearers(keys: Mapping[str, Key]) -> frozenset[int]:
    """Patients who bear or bore a number that fits, after merges; with an issuer, only its numbers."""
    number, issuer = keys.get("patient_id"), keys.get("issuer_of_patient_id")
    if isinstance(number, OneOf):
        rows = database.execute_sql(
            "SELECT patient_id, value, authority FROM patient_identifier "
            "WHERE value IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(number.values)),),
        ).fetchall()
    elif isinstance(number, Like):
        rows = database.execute_sql(
            "SELECT h.patient_id, h.value, h.authority FROM patient p JOIN patient_identifier h ON h.patient_id = p.id "
            "WHERE p.merged_into_id IS NOT NULL"
        ).fetchall()
    else:
        return frozenset()
    return frozenset(
        _survivor(patient)
        for patient, value, authority in rows
        if number.fits(value) and (issuer is None or issuer.fits(authority))
    )


def _survivor(patient: int) -> int:
    """Where merges led."""
    while True:
        found = database.execute_sql("SELECT merged_into_id FROM patient WHERE id = ?", (patient,)).fetchone()
        if found is None or found[0] is None:
            return patient
        patient = int(found[0])
