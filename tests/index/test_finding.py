"""Whatever is asked, the index answers what somebody reading every row with a pencil would."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.dicom.find_keys import read_key
from core.index.finding import search
from core.index.opening import open_index
from core.model.finding import KINDS, LEVELS, UNIQUE_KEYS, Found, Kind, Level, Search
from core.model.matching import Moments
from tests.index.archive import Image, fill

QUESTIONS: dict[str, tuple[str, ...]] = {
    "patient_name": (
        "OUEDRAOGO*", "ouédraogo^aïssata", "OUED*", "O*", "*^AWA*", "^Awa", "DIALLO", "DIALLO^", "*KABORE*", "N'DIAYE*",
        "NDIAYE^*", "Yamada*", "山田*", "MARTIN*", "?IALLO*", "*A*W?*", "%*", "SAVADOGO KABORE*", "DIA*O^I*",
    ),
    "patient_id": ("CDG0030", "CDG003*", "CDG*", "*1", "CDG00?1", "NOBODY", "CDG0011"),
    "issuer_of_patient_id": ("CHUP", "CMA", "C*", "ELSEWHERE"),
    "patient_birth_date": ("20190114", "2019.01.14", "20180101-20181231", "-20200101", "*"),
    "patient_sex": ("F", "M", "?"),
    "study_date": ("20260115", "20260101-20260131", "20260115-", "-20260115", "2026.01.15", "20260101-20260102", "*"),
    "study_time": ("08", "0830", "0800-0900", "-0830", "083000-", "08:30:00-17:00"),
    "accession_number": ("26-0003", "26-00*", "26-*", "*3", "26-000?", "ABSENT"),
    "modalities_in_study": ("CT", "CT\\US", "C?", "SR", "XA"),
    "sop_classes_in_study": ("1.9", "1.7", "1.8\\1.7"),
    "institution_name": ("CHU", "C*"),
    "referring_physician_name": ("zongo*", "SAWADOGO^Eric", "*"),
    "study_description": ("TDM CRANE", "TDM*", "*[ABDO]*", "*100%", "tdm*"),
    "study_instance_uid": ("1.2.3", "1.2.3\\1.2.4\\1.2.999", "1.2.*"),
    "study_id": ("1", "?"),
    "number_of_study_related_series": ("2", "02"),
    "number_of_study_related_instances": ("1", "3"),
    "modality": ("CT", "?T", "CT\\US"),
    "series_description": ("AXIAL*", "AXIAL 5mm"),
    "body_part_examined": ("HEAD", "*E*"),
    "series_instance_uid": ("1.2.3.0", "1.2.3.0\\1.2.4.0"),
    "series_number": ("1", "02", "*"),
    "number_of_series_related_instances": ("2",),
    "image_type": ("PRIMARY", "DERIVED\\PRIMARY", "*ARY"),
    "sop_class_uid": ("1.9", "1.8\\1.9"),
    "sop_instance_uid": ("1.2.3.0.1", "1.2.3.0.1\\1.2.4.0.1"),
    "instance_number": ("1", "3"),
}  # fmt: skip


# The pencil: another way to the same answers, slow and plain.


def folded(text: str, wild: bool = False) -> str:
    decomposed = unicodedata.normalize("NFKD", text).upper().replace("'", "")
    kept = (c for c in decomposed if not unicodedata.combining(c))
    spaced = "".join(c if c.isalnum() or c == "^" or (wild and c in "*?") else " " for c in kept)
    return "^".join(" ".join(part.split()) for part in spaced.split("^")).rstrip("^")


def like(pattern: str, value: str) -> bool:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def names(key: str, value: str) -> bool:
    wanted = []
    for group in key.split("="):
        parts = folded(group, wild=True).split("^")
        wanted.append("^".join(p or "*" for p in parts))
    return any(like(w, folded(group)) for w in wanted for group in value.split("=") if group)


def seconds(text: str, end: bool) -> float:
    text = text.replace(":", "")
    whole = text.split(".")[0]
    low = int(whole[:2] or 0) * 3600 + int(whole[2:4] or 0) * 60 + int(whole[4:6] or 0)
    exact = float("0" + text[6:]) if "." in text else 0.0
    return low + exact + ({2: 3600, 4: 60, 6: 1}[len(whole)] - 1e-6 if end and "." not in text else 0)


def within(key: str, value: str, kind: Kind) -> bool:
    if not value:
        return False
    low, dash, high = key.partition("-")
    high = high if dash else low
    if kind is Kind.DATE:
        low, high = low.replace(".", ""), high.replace(".", "")
        return (not low or value >= low) and (not high or value <= high)
    return (not low or seconds(value, False) >= seconds(low, False)) and (
        not high or seconds(value, False) <= seconds(high, True)
    )


def fits(name: str, key: str, image: Image) -> bool:
    kind, value = KINDS[name], image.values[name]
    if key.strip("*") == "" or ("*" in key and kind in (Kind.UID, Kind.NUMBER, Kind.DATE, Kind.TIME)):
        return True
    if kind is Kind.NAME:
        return names(key, value)
    if kind in (Kind.DATE, Kind.TIME):
        return within(key, value, kind)
    if kind is Kind.NUMBER:
        return value != "" and int(value) == int(key)
    if kind in (Kind.UID, Kind.CODES):
        return any(like(k, v) for k in key.split("\\") for v in value.split("\\"))
    return like(key, value)


def pencil(images: list[Image], level: Level, keys: dict[str, str], overlay: bool) -> list[tuple[str, ...]]:
    found: dict[tuple[Any, ...], tuple[str, ...]] = {}
    for image in images:
        if image.overlay and not overlay:
            continue
        if not all(_fits_somehow(name, key, image, keys) for name, key in keys.items()):
            continue
        found.setdefault(_identity(level, image), _unique(level, image.values))
    return list(found.values())


def _fits_somehow(name: str, key: str, image: Image, keys: dict[str, str]) -> bool:
    """An old number, with the issuer that it had, is as good as the one of today."""
    if name not in ("patient_id", "issuer_of_patient_id") or "patient_id" not in keys:
        return fits(name, key, image)
    pairs = [(image.values["patient_id"], image.values["issuer_of_patient_id"]), *image.old_numbers]
    issuer = keys.get("issuer_of_patient_id", "*")
    return any(like(keys["patient_id"], number) and like(issuer, theirs) for number, theirs in pairs)


def _identity(level: Level, image: Image) -> tuple[Any, ...]:
    who = image.patient or tuple(image.values[n] for n in ("patient_id", "patient_name", "patient_birth_date"))
    narrow = {Level.STUDY: "study_row", Level.SERIES: "series_instance_uid", Level.IMAGE: "sop_instance_uid"}
    return (who,) if level is Level.PATIENT else (image.values[narrow[level]],)


def _unique(level: Level, values: Found) -> tuple[str, ...]:
    return tuple(values[UNIQUE_KEYS[upper]] for upper in Level if upper <= level)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Image]]:
    index = open_index(Path(tmp_path_factory.mktemp("archive")), SystemClock())
    yield index.writer.do(fill)
    index.close()


def answers(level: Level, keys: dict[str, str], overlay: bool, limit: int = 5000) -> list[tuple[str, ...]]:
    made = {name: key for name, text in keys.items() if (key := read_key(KINDS[name], text)) is not None}
    asked = frozenset(name for name in KINDS if LEVELS[name] <= level)
    return [_unique(level, found) for found in search(Search(level, made, asked, overlay=overlay, limit=limit))]


def questions() -> st.SearchStrategy[tuple[Level, dict[str, str], bool]]:
    def keys(level: Level) -> st.SearchStrategy[dict[str, str]]:
        names = [name for name in QUESTIONS if LEVELS[name] <= level]
        chosen = st.lists(st.sampled_from(names), max_size=3, unique=True)
        return chosen.flatmap(lambda some: st.fixed_dictionaries({n: st.sampled_from(QUESTIONS[n]) for n in some}))

    return st.sampled_from(Level).flatmap(lambda level: st.tuples(st.just(level), keys(level), st.booleans()))


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions())
def test_every_question_has_the_answers_of_the_pencil(
    images: list[Image], question: tuple[Level, dict[str, str], bool]
) -> None:
    level, keys, overlay = question
    assert sorted(answers(level, keys, overlay)) == sorted(pencil(images, level, keys, overlay))


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("name", QUESTIONS)
def test_each_key_alone(images: list[Image], level: Level, name: str) -> None:
    if LEVELS[name] <= level:
        for text in QUESTIONS[name]:
            assert sorted(answers(level, {name: text}, True)) == sorted(pencil(images, level, {name: text}, True)), text


def test_studies_come_newest_first_and_stop_at_the_limit(images: list[Image]) -> None:
    days = [f["study_date"] for f in search(Search(Level.STUDY, asked=frozenset({"study_date"}), limit=20))]
    assert days == sorted(days, reverse=True)
    assert len(days) == 20


def test_counts_are_those_of_the_rows(images: list[Image]) -> None:
    asked = frozenset(name for name in KINDS if LEVELS[name] <= Level.IMAGE)
    by_uid = {i.values["sop_instance_uid"]: i.values for i in images}
    for found in search(Search(Level.IMAGE, asked=asked, overlay=True, limit=5000)):
        values = by_uid[found["sop_instance_uid"]]
        shown = {n: found[n] for n in values if n in found} | {"sop_classes_in_study": _sorted(found)}
        assert shown == {n: v for n, v in values.items() if n in found}
    asked = frozenset(name for name in KINDS if LEVELS[name] is Level.PATIENT)
    patients = {f["patient_id"]: f for f in search(Search(Level.PATIENT, asked=asked, limit=5000))}
    for number, found in patients.items():
        mine = [i.values for i in images if not i.overlay and i.values["patient_id"] == number]
        assert found["number_of_patient_related_studies"] == str(len({v["study_row"] for v in mine}))
        assert found["number_of_patient_related_series"] == str(len({v["series_instance_uid"] for v in mine}))
        assert found["number_of_patient_related_instances"] == str(len(mine))


def _sorted(found: Found) -> str:
    return "\\".join(sorted(found["sop_classes_in_study"].split("\\")))


def test_a_moment_is_a_date_and_a_time_together(images: list[Image]) -> None:
    window = Moments("20260115", "12", "20260128", "09")
    asked = frozenset({"study_date", "study_time"})
    found = {f["study_instance_uid"] for f in search(Search(Level.STUDY, {}, asked, window, overlay=True))}
    expected = {
        v["study_instance_uid"]
        for v in (i.values for i in images)
        if "20260115120000" <= (v["study_date"] + v["study_time"].ljust(6, "0")) <= "202601280959599"
        and len(v["study_date"]) == 8
    }
    assert found == expected
    assert found


def test_names_are_found_by_their_sound_when_that_was_agreed(images: list[Image]) -> None:
    heard = read_key(Kind.NAME, "wedraogo", fuzzy=True)
    assert heard is not None
    asked = frozenset({"patient_name"})
    found = {f["patient_name"] for f in search(Search(Level.PATIENT, {"patient_name": heard}, asked, overlay=True))}
    assert found == {i.values["patient_name"] for i in images if i.values["patient_name"].startswith("OUÉDRAOGO")}
    assert found


def test_a_list_of_every_study_is_read_in_pages(images: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    from core.index import finding

    monkeypatch.setattr(finding, "PAGE", dict.fromkeys(Level, 3))
    monkeypatch.setattr(finding, "RECENT", 20)
    for level in Level:
        for keys in ({}, {"patient_name": "*AWA*"}):
            assert sorted(answers(level, keys, True)) == sorted(pencil(images, level, keys, True))
