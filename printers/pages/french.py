"""Dates, people and punctuation as a French page writes them."""

from __future__ import annotations

import re
from datetime import date, datetime
from html import escape

from core.i18n import _
from core.model.birth import Birth, Precision
from printers.pages.fonts import shown

NBSP = "\u00a0"
_BEFORE = re.compile(r" (?=[:;!?»%])")
_AFTER = re.compile(r"(?<=«) ")
_UNIT = re.compile(r"(?<=\d) (?=(?:mm|cm|m|kg|g|mg|mL|ml|mSv|mGy|UH|h|min|s|ans|mois|jours?)\b)")


def months() -> tuple[str, ...]:
    return (
        _("janvier"),
        _("février"),
        _("mars"),
        _("avril"),
        _("mai"),
        _("juin"),
        _("juillet"),
        _("août"),
        _("septembre"),
        _("octobre"),
        _("novembre"),
        _("décembre"),
    )


def weekdays() -> tuple[str, ...]:
    return (_("lundi"), _("mardi"), _("mercredi"), _("jeudi"), _("vendredi"), _("samedi"), _("dimanche"))


def long_day(day: date) -> str:
    """« 1er mars 2027 », « 12 janvier 2027 »."""
    number = "1er" if day.day == 1 else str(day.day)
    return f"{number}{NBSP}{months()[day.month - 1]}{NBSP}{day.year}"


def weekday(day: date) -> str:
    return weekdays()[day.weekday()]


def hour(moment: datetime) -> str:
    """« 8 h 05 », « 14 h »."""
    minutes = f"{NBSP}{moment:%M}" if moment.minute else ""
    return f"{moment.hour}{NBSP}h{minutes}"


def long_moment(moment: datetime) -> str:
    return _("%(day)s à %(hour)s") % {"day": long_day(moment), "hour": hour(moment)}


def tight(text: str) -> str:
    """No line ends before « : » or between a number and its unit; no word is changed."""
    for space in (_BEFORE, _AFTER, _UNIT):
        text = space.sub(NBSP, text)
    return text


def markup(text: str) -> str:
    """A person's text as reportlab's paragraph markup: drawable, tight, and inert."""
    return escape(tight(shown(text)), quote=False)


def born(birth: Birth, sex: str) -> str:
    """« Née le 12/05/2022 », « Né vers 2019 », « Né(e) en 03/2019 »."""
    word = {"F": _("Née"), "M": _("Né")}.get(sex, _("Né(e)"))
    match birth.precision:
        case Precision.UNKNOWN:
            return _("Date de naissance inconnue")
        case Precision.DAY:
            return _("%(born)s le %(date)s") % {"born": word, "date": birth.shown()}
        case Precision.ESTIMATED:
            return f"{word} {birth.shown()}"
        case _unused:
            return _("%(born)s en %(date)s") % {"born": word, "date": birth.shown()}


def sex_word(sex: str) -> str:
    words = {"F": _("féminin"), "M": _("masculin"), "O": _("indéterminé")}
    return words.get(sex, _("non renseigné"))
