"""Reports out: every word survives, nothing a radiologist types becomes a segment, versions are told apart."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime

import hl7 as python_hl7
import pytest
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from core.hl7.results import Origin, Result, ResultStatus, oru
from core.hl7.tokenizer import read
from core.model.birth import Birth, in_month, in_year, on_day
from core.model.device import Destination
from core.model.identifiers import Identifier
from tests.hl7.ward import NOW, OUAGADOUGOU

SIH = Destination("SIH", "127.0.0.1", 1, "SIH", "CDG", "2.5", "UNICODE UTF-8")
RESULT = Result(
    control_id="Y1000042",
    status=ResultStatus.FINAL,
    identifiers=(Identifier("IP0001", "CDG"),),
    family_name="OUÉDRAOGO",
    given_names="Aïssata",
    birth=on_day(date(2019, 3, 15)),
    sex="F",
    accession_number="26-000508",
    study_instance_uid="1.2.3.4",
    sections=(
        ("indication", "Toux & fièvre."),
        ("findings", "Poumons clairs.\n\nCœur normal."),
        ("conclusion", "Normal."),
    ),
    reported_at=datetime(2026, 7, 27, 9, 15, tzinfo=UTC),
    signer="Dr Awa SANOU",
    operator="TRAORÉ",
    placer_number="D77",
    placer_authority="SIH",
    filler_number="26-000508",
    requested_procedure_id="RP1",
    step_id="ST1",
    exam_code="THX",
    exam_label="Radiographie du thorax",
    modality="DX",
    examined_at=datetime(2026, 7, 27, 8, 0, tzinfo=UTC),
    prescriber="Dr KABORÉ",
)


def written(result: Result = RESULT, destination: Destination = SIH, codec: str = "utf-8") -> str:
    return oru(result, destination, Origin("YELEN", "CDG"), NOW, OUAGADOUGOU).decode(codec)


def texts(message: str) -> list[tuple[str, str, str]]:
    """(OBX-2, OBX-3.1, OBX-5) of every observation, as python-hl7 reads them."""
    parsed = python_hl7.parse(message)
    return [(str(o(2)), o.extract_field(1, 3, 1, 1), o.extract_field(1, 5, 1, 1)) for o in parsed.segments("OBX")]


def test_a_signed_report_says_who_what_and_which_study() -> None:
    parsed = python_hl7.parse(written())
    assert [str(parsed.segment("MSH")(n)) for n in (3, 4, 5, 6, 9, 10, 11, 12, 18)] == [
        "YELEN", "CDG", "SIH", "CDG", "ORU^R01^ORU_R01", "Y1000042", "P", "2.5", "UNICODE UTF-8",
    ]  # fmt: skip
    assert [str(parsed.segment("PID")(n)) for n in (3, 5, 7, 8)] == [
        "IP0001^^^CDG^PI", "OUÉDRAOGO^Aïssata^^^^^L", "20190315", "F",
    ]  # fmt: skip
    obr = parsed.segment("OBR")
    assert [str(obr(n)) for n in (2, 3, 4, 16, 18, 19, 20, 24, 25, 32, 34)] == [
        "D77^SIH", "26-000508^YELEN", "THX^Radiographie du thorax^L", "^Dr KABORÉ", "26-000508", "RP1", "ST1", "DX",
        "F", "&Dr Awa SANOU", "&TRAORÉ",
    ]  # fmt: skip
    assert [str(parsed.segment("ORC")(n)) for n in (1, 2, 3)] == ["RE", "D77^SIH", "26-000508^YELEN"]


def test_one_observation_a_paragraph_in_the_order_of_the_page() -> None:
    assert texts(written()) == [
        ("HD", "113014", "1.2.3.4"),
        ("TX", "INDIC", "Toux & fièvre."),
        ("TX", "RESULT", "Poumons clairs."),
        ("TX", "RESULT", "Cœur normal."),
        ("TX", "CONCL", "Normal."),
    ]


@pytest.mark.parametrize(
    ("status", "of_order", "of_text", "first"),
    [
        (ResultStatus.PRELIMINARY, "P", "P", "COMPTE RENDU PROVISOIRE – NON VALIDÉ"),
        (ResultStatus.FINAL, "F", "F", "Toux & fièvre."),
        (ResultStatus.CORRECTED, "C", "C", "Toux & fièvre."),
        (ResultStatus.CANCELLED, "X", "X", "COMPTE RENDU ANNULÉ"),
        (ResultStatus.WRONG_PATIENT, "C", "W", "COMPTE RENDU RETIRÉ : NE CONCERNE PAS CE PATIENT"),
    ],
)
def test_the_status_is_said_in_the_order_in_every_text_and_in_words(
    status: ResultStatus, of_order: str, of_text: str, first: str
) -> None:
    message = written(replace(RESULT, status=status))
    parsed = python_hl7.parse(message)
    assert str(parsed.segment("OBR")(25)) == of_order
    assert {str(o(11)) for o in parsed.segments("OBX")} == {of_text}
    assert texts(message)[1][2] == first
    assert ("Poumons" in message) == (status.name in ("PRELIMINARY", "FINAL", "CORRECTED"))


HOSTILE = [
    "|",
    "^",
    "~",
    "\\",
    "&",
    "\r",
    "\n",
    "é",
    "Œ",
    "\\.br\\",
    "\\X0D\\",
    "\rPID|1||EVIL",
    "a",
    " ",
    "｜",
    "\u2028",
    "#",
    "\\T\\",
]


@given(st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join))
@settings(deadline=None, max_examples=60)
def test_every_word_survives_a_round_trip_and_opens_no_segment(text: str) -> None:
    plain = " ".join(text.split())
    result = replace(RESULT, sections=(("findings", text),), family_name=f"A{plain}B", exam_label=f"A{plain}B")
    message = written(result)
    parsed = python_hl7.parse(message)
    assert [str(s[0]) for s in parsed][:5] == ["MSH", "PID", "PV1", "ORC", "OBR"]
    assert {str(s[0]) for s in parsed[5:]} == {"OBX"}
    said = [value for kind, _code, value in texts(message) if kind == "TX"]
    assert [" ".join(s.split()) for s in said] == [" ".join(p.split()) for p in text.splitlines() if p.strip()]
    assert parsed.segment("PID").extract_field(1, 5, 1, 1) == f"A{plain}B"
    assert parsed.segment("OBR").extract_field(1, 4, 1, 2) == f"A{plain}B"
    assert read(message.encode()).first("PID").at(5) == f"A{plain}B"


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
def test_every_version_has_the_same_segments_and_says_its_number(version: str) -> None:
    message = written(destination=replace(SIH, version=version))
    assert [line[:3] for line in message.strip("\r").split("\r")] == ["MSH", "PID", "PV1", "ORC", "OBR", *["OBX"] * 5]
    assert message.startswith("MSH|^~\\&|")
    assert str(python_hl7.parse(message).segment("MSH")(12)) == version


def test_hl7apy_finds_its_own_structure_again() -> None:
    assert parse_message(written().replace("\n", "\r"), find_groups=True).validate()


@pytest.mark.parametrize(("charset", "codec"), [("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("", "ascii")])
def test_letters_that_a_set_lacks_are_spelt_and_never_lost(charset: str, codec: str) -> None:
    text = "Œdème – taille ≥ 5 mm, ｜ « net » ♥"
    message = written(replace(RESULT, sections=(("findings", text),)), replace(SIH, charset=charset), codec)
    [said] = [value for _kind, code, value in texts(message) if code == "RESULT"]
    assert "?" not in said
    assert ">= 5 mm, |" in said
    assert said.endswith("[U+2665]")
    assert ("OEdeme" in said, "OEdème" in said, "Œdème" in said) == {
        "latin-1": (False, True, False), "iso8859-15": (False, False, True), "ascii": (True, False, False),
    }[codec]  # fmt: skip


@pytest.mark.parametrize(
    ("birth", "said"),
    [(in_year(2019), "2019"), (in_month(2019, 3), "201903"), (Birth(), ""), (on_day(date(2019, 3, 5)), "20190305")],
)
def test_a_birth_date_is_no_more_precise_than_what_is_known(birth: Birth, said: str) -> None:
    assert str(python_hl7.parse(written(replace(RESULT, birth=birth))).segment("PID")(7)) == said


def test_the_paper_version_may_travel_with_the_words() -> None:
    message = written(replace(RESULT, pdf=b"%PDF-1.7 \x00\xff"))
    last = python_hl7.parse(message).segments("OBX")[-1]
    assert [last.extract_field(1, 5, 1, n) for n in (1, 2, 3, 4)] == ["YELEN", "application", "pdf", "Base64"]
    assert base64.b64decode(last.extract_field(1, 5, 1, 5)) == b"%PDF-1.7 \x00\xff"


def test_several_numbers_of_a_patient_are_repetitions() -> None:
    message = written(replace(RESULT, identifiers=(Identifier("IP1", "CDG"), Identifier("N~7", "ETAT", "NI"))))
    assert str(python_hl7.parse(message).segment("PID")(3)) == "IP1^^^CDG^PI~N\\R\\7^^^ETAT^NI"
