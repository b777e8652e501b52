"""Birth dates as families know them: an interval with a precision, and the age a paediatrician says.

Every rule that depends on age takes the interval and says which end it uses.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from core.errors import BadInput
from core.i18n import _
from core.model.names import to_ascii


class Precision(StrEnum):
    DAY = "J"
    MONTH = "M"
    YEAR = "A"
    ESTIMATED = "E"
    UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Birth:
    """Born between `earliest` and `latest`, both included; both None when nothing is known."""

    earliest: date | None = None
    latest: date | None = None
    precision: Precision = Precision.UNKNOWN

    @property
    def exact(self) -> date | None:
        """The day, when it is known to the day; only then may it be a DICOM PatientBirthDate."""
        return self.earliest if self.precision is Precision.DAY else None

    def overlaps(self, other: Birth) -> bool:
        """Whether both could be the same birth; unknown overlaps everything."""
        if self.earliest is None or self.latest is None or other.earliest is None or other.latest is None:
            return True
        return self.earliest <= other.latest and other.earliest <= self.latest

    def contradicts(self, other: Birth) -> bool:
        """Whether they cannot be the same; an estimate is given a year of tolerance on each side."""
        slack = timedelta(days=366) if Precision.ESTIMATED in (self.precision, other.precision) else timedelta(0)
        if self.earliest is None or self.latest is None or other.earliest is None or other.latest is None:
            return False
        return self.earliest > other.latest + slack or other.earliest > self.latest + slack

    def shown(self) -> str:
        """« 15/03/2019 », « 03/2019 », « 2019 », « vers 2019 » or « inconnue »."""
        if self.earliest is None or self.latest is None:
            return _("inconnue")
        match self.precision:
            case Precision.DAY:
                return f"{self.earliest:%d/%m/%Y}"
            case Precision.MONTH:
                return f"{self.earliest:%m/%Y}"
            case Precision.YEAR:
                return f"{self.earliest:%Y}"
            case _unused:
                middle = self.earliest + (self.latest - self.earliest) / 2
                return _("vers %s") % f"{middle:%Y}"

    def dicom(self) -> str:
        """(0010,0030) DA: empty unless exact."""
        return f"{self.exact:%Y%m%d}" if self.exact else ""


UNKNOWN = Birth()


def on_day(day: date) -> Birth:
    return Birth(day, day, Precision.DAY)


def in_month(year: int, month: int) -> Birth:
    last = calendar.monthrange(year, month)[1]
    return Birth(date(year, month, 1), date(year, month, last), Precision.MONTH)


def in_year(year: int, precision: Precision = Precision.YEAR) -> Birth:
    return Birth(date(year, 1, 1), date(year, 12, 31), precision)


def from_dicom(text: str) -> Birth:
    """A DICOM DA, also the ACR-NEMA spelling `YYYY.MM.DD`; anything else is unknown, never an error."""
    digits = text.replace(".", "").strip()
    try:
        return on_day(date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))) if len(digits) == 8 else UNKNOWN
    except ValueError:
        return UNKNOWN


_DAY = re.compile(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{4})")
_MONTH = re.compile(r"(\d{1,2})[/. -](\d{4})")
_ABOUT = re.compile(r"(?:NEE? )?(?:VERS|ENV(?:IRON)?\.?|~) ?(\d{4})")
_AGE = re.compile(r"(?:ENV(?:IRON)?\.?|~)? ?(\d{1,3}) ?(ANS?|A|MOIS|M|SEMAINES?|S|JOURS?|J)")


def parse(text: str, today: date) -> Birth:
    """What reception types: « 15/03/2019 », « 03/2019 », « 2019 », « né vers 2019 », « 4 ans », « 6 m », nothing.

    An age gives an estimate, one year wide on each side for years, one month for months.
    Raises `BadInput` for an impossible or future date.
    """
    words = " ".join(to_ascii(text).upper().split())
    if not words:
        return UNKNOWN
    try:
        birth = _parsed(words, today)
    except ValueError:
        raise BadInput(_("Date de naissance impossible : %s") % text.strip(), "birth") from None
    if birth.earliest is not None and (birth.earliest > today or birth.earliest.year < today.year - 120):
        raise BadInput(_("Date de naissance impossible : %s") % text.strip(), "birth")
    return birth


def _parsed(words: str, today: date) -> Birth:
    if found := _DAY.fullmatch(words):
        return on_day(date(int(found[3]), int(found[2]), int(found[1])))
    if found := re.fullmatch(r"(\d{2})(\d{2})(\d{4})", words):
        return on_day(date(int(found[3]), int(found[2]), int(found[1])))
    if found := _MONTH.fullmatch(words):
        return in_month(int(found[2]), int(found[1]))
    if found := re.fullmatch(r"\d{4}", words):
        return in_year(int(words))
    if found := _ABOUT.fullmatch(words):
        return in_year(int(found[1]), Precision.ESTIMATED)
    if found := _AGE.fullmatch(words):
        return _from_age(int(found[1]), found[2][0], today)
    raise ValueError(words)


def _from_age(count: int, unit: str, today: date) -> Birth:
    if unit == "A":
        return Birth(_years_before(today, count + 1), _years_before(today, max(count - 1, 0)), Precision.ESTIMATED)
    days = {"M": 30.44, "S": 7.0, "J": 1.0}[unit]
    middle, slack = today - timedelta(days=round(count * days)), timedelta(days=30 if unit == "M" else round(days) - 1)
    return Birth(middle - slack, min(middle + slack, today), Precision.ESTIMATED)


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, month=3, day=1)


@dataclass(frozen=True, slots=True)
class Age:
    """An age at a given day: whole days, months and years lived, from the middle of the birth interval."""

    days: int
    months: int
    years: int
    estimated: bool

    def short(self) -> str:
        """For lists: `12j`, `11m`, `4a`, `~4a`."""
        text = f"{self.days}j" if self.days < 28 else f"{self.months}m" if self.months < 24 else f"{self.years}a"
        return f"~{text}" if self.estimated else text

    def long(self) -> str:
        """« 12 j », « 2 m 11 j » under three months, « 11 m », « 3 ans 4 mois » from 2 to 6, « 9 ans »."""
        if self.days < 28:
            text = f"{self.days} j"
        elif self.months < 3:
            text = f"{self.months} m {self.days - round(self.months * 30.44)} j"
        elif self.months < 24:
            text = f"{self.months} m"
        elif self.years < 7 and self.months % 12:
            text = f"{self.years} ans {self.months % 12} mois"
        else:
            text = f"{self.years} ans"
        return f"~ {text}" if self.estimated else text

    def dicom(self) -> str:
        """(0010,1010) AS: `nnnD`, `nnnW`, `nnnM` or `nnnY` (PS3.5 6.2)."""
        if self.days < 28:
            return f"{self.days:03d}D"
        if self.months < 24:
            return f"{self.months:03d}M"
        return f"{self.years:03d}Y"


def age_at(birth: Birth, day: date) -> Age | None:
    """The age on a day; None when nothing is known or the child is not born yet."""
    if birth.earliest is None or birth.latest is None:
        return None
    born = birth.earliest + (birth.latest - birth.earliest) / 2
    if born > day:
        return None if birth.earliest > day else Age(0, 0, 0, True)
    months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
    return Age((day - born).days, months, months // 12, birth.precision is not Precision.DAY)
