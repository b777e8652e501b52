"""What SQL can settle of the keys of a search: never too little, so that the keys can have the last word.

Conditions hold `{plus}` before a column that an index could serve: a `+` keeps SQLite from taking that index when the
rows come from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.index.find_columns import EXPRESSIONS, STORED
from core.index.tables import database
from core.model.finding import Search
from core.model.matching import Days, Key, Like, Moments, Name, Number, OneOf, literals, prefix_of
from core.model.names import SEVERAL_GROUPS, fold

LAST: Final = "\U0010ffff"
SEVERAL: Final = (SEVERAL_GROUPS, SEVERAL_GROUPS[:-1] + "!")  # the range of names of several component groups
_FEW: Final = 4_000
_STARS_FOR_GLOB: Final = 2
_ONE: Final = "IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of our own SQL and the values it binds."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What SQL can settle: on the study row, on series and image rows. few: `study` names few rows through an index."""

    study: tuple[Condition, ...]
    below: tuple[Condition, ...]
    few: bool


def where(conditions: Iterable[Condition], plus: bool) -> str:
    return " AND ".join(condition.sql.replace("{plus}", "+" if plus else "") for condition in conditions) or "1"


def values(*conditions: Iterable[Condition]) -> tuple[Any, ...]:
    return tuple(value for group in conditions for condition in group for value in condition.values)


def narrow(wanted: Search, bearers: frozenset[int]) -> Narrowing:
    """bearers: patients who bear or bore the number asked for."""
    study, below = [Condition("s.instances > 0")], list[Condition]()
    if not wanted.overlay:
        study.append(Condition("+s.match <> 'unreconciled'"))
    leading = _leading(wanted.keys, bearers)
    study += [condition for condition, _few in leading]
    for name, key in wanted.keys.items():
        if name not in _LEADING:
            (below if EXPRESSIONS[name][:2] in ("r.", "i.") else study).extend(_condition(name, key))
    for name in ("series_instance_uid", "sop_instance_uid"):
        if isinstance(uids := wanted.keys.get(name), OneOf):
            below.append(Condition(f"{EXPRESSIONS[name]} {_ONE}", (_list(uids),)))
    if isinstance(moments := wanted.moments, Moments):
        study += _condition("study_date", Days(moments.low_day, moments.high_day))
    few = any(few or _names_few(condition) for condition, few in leading)
    return Narrowing(tuple(study), tuple(below), few)


def _names_few(condition: Condition) -> bool:
    """Whether a range of numbers holds few studies."""
    found = database.execute_sql(
        f"SELECT 1 FROM study s WHERE {where([condition], plus=False)} LIMIT {_FEW}", condition.values
    ).fetchall()
    return len(found) < _FEW


_EQUALITIES: Final[Mapping[str, str]] = {
    "study_instance_uid": f"s.study_instance_uid {_ONE}",
    "series_instance_uid": f"s.id IN (SELECT y.study_id FROM series y WHERE y.series_instance_uid {_ONE})",
    "sop_instance_uid": "s.id IN (SELECT y.study_id FROM instance z JOIN series y ON y.id = z.series_id "
    f"WHERE z.sop_instance_uid {_ONE})",
    "scheduled_procedure_step_id": f"s.step_id IN (SELECT x.id FROM step x WHERE x.scheduled_step_id {_ONE})",
    "requested_procedure_id": "s.step_id IN (SELECT x.id FROM requested_procedure p JOIN step x "
    f"ON x.procedure_id = p.id WHERE p.procedure_id {_ONE})",
}
_LEADING: Final = frozenset({*_EQUALITIES, "patient_id", "accession_number", "issuer_of_patient_id"})


def _leading(keys: Mapping[str, Key], bearers: frozenset[int]) -> list[tuple[Condition, bool]]:
    """Conditions on indexes of their own, and whether each is sure to name few studies."""
    found = [
        (Condition(sql, (_list(key),)), True)
        for name, sql in _EQUALITIES.items()
        if isinstance(key := keys.get(name), OneOf)
    ]
    number, accession = keys.get("patient_id"), keys.get("accession_number")
    if number is not None and (one := _on("s.number", number)):
        patients = json.dumps(sorted(bearers))
        both = Condition(f"({one.sql} OR s.patient_id {_ONE})", (*one.values, patients))
        found.append((both, isinstance(number, OneOf)))
    if accession is not None and (sent := _on("s.accession_number", accession)):
        ordered = _on("q.accession_number", accession)
        assert ordered is not None
        of_order = (
            "s.step_id IN (SELECT x.id FROM imaging_service_request q "
            "JOIN requested_procedure p ON p.request_id = q.id "
            f"JOIN step x ON x.procedure_id = p.id WHERE {ordered.sql})"
        )
        both = Condition(f"({sent.sql} OR {of_order})", (*sent.values, *ordered.values))
        found.append((both, isinstance(accession, OneOf)))
    return found


def _on(column: str, key: Key) -> Condition | None:
    """Equality or a range of an index; None when the pattern begins with a wildcard."""
    if isinstance(key, OneOf):
        return Condition(f"{column} {_ONE}", (_list(key),))
    if isinstance(key, Like) and (prefix := prefix_of(key.pattern)):
        more = _of_pattern(column, key)
        sql = " AND ".join([f"{column} BETWEEN ? AND ?", *(one.sql.replace("{plus}", "+") for one in more)])
        return Condition(f"({sql})", (prefix, prefix + LAST, *values(more)))
    return None


def _list(key: OneOf) -> str:
    return json.dumps(sorted(key.values))


def _condition(name: str, key: Key) -> list[Condition]:
    """Conditions on one column, [] when only the key itself can tell."""
    column = EXPRESSIONS[name]
    if name == "patient_name" and isinstance(key, Name):
        return _of_name("s.name_key", key)
    if name == "referring_physician_name" and isinstance(key, Name):
        return _of_name("s.referring_key", key)
    if name == "modalities_in_study":
        return _of_modalities(key)
    if name not in STORED:
        return []
    if isinstance(key, Days):
        low = Condition(f"{{plus}}{column} >= ?", (key.low or "0",))
        return [low, Condition(f"{{plus}}{column} <= ?", (key.high,))] if key.high else [low]
    if isinstance(key, OneOf) and name != "image_type":
        return [Condition(f"{{plus}}{column} {_ONE}", (_list(key),))]
    if isinstance(key, Like):
        return _of_pattern(column, key) if name != "image_type" else _of_pieces(column, key)
    if isinstance(key, Number):
        return [Condition(f"{{plus}}{column} = ?", (key.value,))]
    return []


def _of_modalities(key: Key) -> list[Condition]:
    if isinstance(key, OneOf):
        wanted = sorted(key.values)
        either = " OR ".join("instr(s.modalities, ?) > 0" for _ in wanted)
        return [Condition(f"({either})", tuple(json.dumps(modality, ensure_ascii=False) for modality in wanted))]
    return _of_pieces("s.modalities", key) if isinstance(key, Like) else []


def _of_pattern(column: str, key: Like) -> list[Condition]:
    """GLOB says exactly what we say, but each further `*` multiplies its steps: many of them are not for it."""
    if key.pattern.count("*") > _STARS_FOR_GLOB:
        return _of_pieces(column, key)
    return [Condition(f"{{plus}}{column} GLOB ?", (key.pattern.replace("[", "[[]"),))]


def _of_pieces(column: str, key: Like) -> list[Condition]:
    return [Condition(f"instr({column}, ?) > 0", (piece,)) for piece in literals(key.pattern)]


def _of_name(column: str, key: Name) -> list[Condition]:
    """What the folded key holds, or a name of several component groups."""
    in_groups = f"{column} >= ? AND {column} < ?"
    return [Condition(f"(instr({column}, ?) > 0 OR {in_groups})", (p, *SEVERAL)) for p in name_pieces(key)]


def latin(name: Name) -> str:
    """The one pattern of a name when the folded key of the index can be trusted with it; else ""."""
    pattern = name.patterns[0]
    return pattern if len(name.patterns) == 1 and pattern.isascii() and not name.sounds else ""


def name_pieces(name: Name) -> list[str]:
    """What the folded key of a fitting name holds; [] when nothing can be said."""
    return [piece for run in literals(latin(name)) if (piece := fold(run.replace("^", " ")))]
