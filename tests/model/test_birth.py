"""Birth dates as families know them, ages as paediatricians say them."""

from __future__ import annotations

from datetime import date

import pytest

from core.errors import BadInput
from core.model.birth import Precision, age_at, from_dicom, in_year, on_day, parse

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("typed", "shown", "precision"),
    [
        ("15/03/2019", "15/03/2019", Precision.DAY),
        ("15032019", "15/03/2019", Precision.DAY),
        ("03/2019", "03/2019", Precision.MONTH),
        ("2019", "2019", Precision.YEAR),
        ("né vers 2019", "vers 2019", Precision.ESTIMATED),
        ("environ 4 ans", "vers 2022", Precision.ESTIMATED),
        ("", "inconnue", Precision.UNKNOWN),
    ],
)
def test_what_reception_types_is_an_interval(typed: str, shown: str, precision: Precision) -> None:
    birth = parse(typed, TODAY)
    assert (birth.shown(), birth.precision) == (shown, precision)


@pytest.mark.parametrize("typed", ["31/02/2015", "01/13/2020", "2190", "demain", "15/03/1850"])
def test_an_impossible_birth_is_refused_by_name(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(typed, TODAY)
    assert refused.value.field == "birth"


@pytest.mark.parametrize(
    ("born", "short", "long", "dicom"),
    [
        (date(2026, 11, 12), "12j", "12 j", "012D"),
        (date(2026, 9, 13), "2m", "2 m 11 j", "002M"),
        (date(2025, 12, 20), "11m", "11 m", "011M"),
        (date(2023, 7, 20), "3a", "3 ans 4 mois", "003Y"),
        (date(2017, 11, 24), "9a", "9 ans", "009Y"),
    ],
)
def test_the_age_is_said_as_paediatricians_say_it(born: date, short: str, long: str, dicom: str) -> None:
    age = age_at(on_day(born), TODAY)
    assert age is not None
    assert (age.short(), age.long(), age.dicom()) == (short, long, dicom)


def test_an_estimated_age_says_so() -> None:
    age = age_at(in_year(2022, Precision.ESTIMATED), TODAY)
    assert age is not None
    assert age.short() == "~4a"


def test_only_an_exact_birth_is_told_to_machines() -> None:
    assert on_day(date(2019, 3, 15)).dicom() == "20190315"
    assert in_year(2019).dicom() == ""


def test_an_estimate_does_not_contradict_its_neighbour_year() -> None:
    assert not in_year(2019, Precision.ESTIMATED).contradicts(on_day(date(2020, 6, 1)))
    assert on_day(date(2019, 3, 15)).contradicts(on_day(date(2019, 3, 16)))


@pytest.mark.parametrize("text", ["", "0", "20190230", "99999999", "2019.13.01"])
def test_a_bad_dicom_birth_date_never_stops_an_import(text: str) -> None:
    assert from_dicom(text).precision is Precision.UNKNOWN
