"""Who may be the same child: a score with reasons and vetoes, for a person to judge. Never a merge.

A few family names are extremely frequent (Ouédraogo…), so the family name alone has almost no weight; the birth
interval, sex, mother, phone and given name rank. Twins (same mother and birth, other rank) are never proposed.
"""

from __future__ import annotations

import re

from core.i18n import _
from core.model.birth import Birth
from core.model.names import fold, phonetic_key
from core.model.patient import Demographics

THRESHOLD = 0.45


def are_twins(a: Demographics, b: Demographics) -> bool:
    """Same mother, births that overlap, both ranked and ranks that differ."""
    if a.birth_order is None or b.birth_order is None or a.birth_order == b.birth_order:
        return False
    if not a.birth.overlaps(b.birth):
        return False
    if a.mother_number and b.mother_number:
        return a.mother_number == b.mother_number
    return bool(_mother(a)) and phonetic_key(_mother(a)) == phonetic_key(_mother(b))


def likeness(typed: Demographics, known: Demographics) -> tuple[float, tuple[str, ...]]:
    """Score 0..1 and reasons. 0 with a veto reason when they cannot be proposed as one person."""
    if are_twins(typed, known):
        return 0.0, (_("jumeaux : rang de naissance différent"),)
    sexes_differ = bool(typed.sex and known.sex and typed.sex != known.sex)
    births_differ = typed.birth.contradicts(known.birth) and _birth_likeness(typed.birth, known.birth) == 0
    penalty = 0.5 if sexes_differ or births_differ else 1.0
    parts: list[tuple[float, float, str]] = [
        (0.15, _alike(typed.family_name, known.family_name), _("nom")),
        (0.30, _alike(typed.given_names, known.given_names), _("prénom")),
    ]
    if typed.birth.earliest and known.birth.earliest:
        parts.append((0.30, _birth_likeness(typed.birth, known.birth), _("naissance")))
    if typed.sex and known.sex:
        parts.append((0.05, float(typed.sex == known.sex), _("sexe")))
    if _mother(typed) and _mother(known):
        parts.append((0.15, _alike(_mother(typed), _mother(known)), _("mère")))
    if _digits(typed.guardian_phone) and _digits(known.guardian_phone):
        parts.append((0.10, float(_digits(typed.guardian_phone) == _digits(known.guardian_phone)), _("téléphone")))
    if typed.national_id and known.national_id:
        parts.append((0.60, float(typed.national_id == known.national_id), _("NIP")))
    weight = sum(w for w, _s, _r in parts)
    score = penalty * sum(w * s for w, s, _r in parts) / weight
    return round(score, 2), tuple(reason for _w, s, reason in parts if s >= 0.8)


def _mother(who: Demographics) -> str:
    return f"{who.mother_family_name} {who.mother_given_names}".strip()


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)[-8:]


def _alike(a: str, b: str) -> float:
    """1 when folded words agree, 0.85 when they sound alike, 0.6 when one begins the other, else 0."""
    fa, fb = fold(a), fold(b)
    if not fa or not fb:
        return 0.0
    if sorted(fa.split()) == sorted(fb.split()):
        return 1.0
    if phonetic_key(a) == phonetic_key(b):
        return 0.85
    ka, kb = set(phonetic_key(a).split()), set(phonetic_key(b).split())
    if ka & kb or fa.startswith(fb) or fb.startswith(fa):
        return 0.6
    return 0.0


def _birth_likeness(a: Birth, b: Birth) -> float:
    if a.exact and b.exact:
        if a.exact == b.exact:
            return 1.0
        # Day and month swapped, or one digit mistyped in the year, are the usual slips.
        swapped = (a.exact.day, a.exact.month, a.exact.year) == (b.exact.month, b.exact.day, b.exact.year)
        same_day = (a.exact.day, a.exact.month) == (b.exact.day, b.exact.month)
        return 0.7 if swapped or same_day else 0.0
    return 0.8 if a.overlaps(b) else 0.0
