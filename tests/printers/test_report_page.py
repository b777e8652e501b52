"""The report on paper: every word survives, warnings are on every page, the code ties the paper to its text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.birth import Precision, in_year
from core.model.report import ReportText, VersionState, VersionType
from core.model.step import Flag
from printers.pages.report import report_pdf
from tests.printers.paper import EXAM, SITE, TEXT, codes, pages, report, words
from tests.skips import needs_poppler

pytestmark = needs_poppler
PROVISIONAL = "COMPTE RENDU PROVISOIRE – NON VALIDÉ"


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_word_of_every_section_is_on_the_page(tmp_path: Path) -> None:
    document, _count = report_pdf(SITE, report(), EXAM)
    paper = " ".join(words(document, tmp_path))
    for title, text in zip(
        ("Indication", "Technique", "Comparaison", "Résultat", "Conclusion"),
        (TEXT.indication, TEXT.technique, TEXT.comparison, TEXT.findings, TEXT.conclusion),
        strict=True,
    ):
        assert f"{title} {flat(text)}" in paper


def test_the_child_the_request_and_the_signatory_are_named(tmp_path: Path) -> None:
    paper = " ".join(words(report_pdf(SITE, report(), EXAM)[0], tmp_path))
    for words_ in (
        "Hôpital pédiatrique de Ouagadougou",
        "OUÉDRAOGO Aïssata",
        "Née le 12/05/2022 (4 ans 8 mois à l'examen)",
        "IPP : CDG0012345",
        "Demande n° 27-000512",
        "Prescripteur : Dr Issouf TRAORÉ",
        "Dr Salif ZONGO Signé électroniquement le 14 janvier 2027 à 14 h 20",
        "Page 1/1",
    ):
        assert words_ in paper


def test_the_code_holds_the_request_number_and_the_hash(tmp_path: Path) -> None:
    version = report()
    assert codes(report_pdf(SITE, version, EXAM)[0], tmp_path) == {
        ("QRCode", f"YELEN:27-000512:{version.sha256.upper()}")
    }


def test_a_preliminary_says_so_on_every_page_and_has_no_signature(tmp_path: Path) -> None:
    long = replace(TEXT, findings="Phrase de remplissage du résultat.\n" * 80)
    document, count = report_pdf(SITE, report(long, VersionType.PRELIMINARY), EXAM)
    sheets = [flat(page) for page in pages(document, tmp_path)]
    assert len(sheets) == count > 1
    for number, sheet in enumerate(sheets, 1):
        assert PROVISIONAL in sheet
        assert f"Page {number}/{count}" in sheet
        assert "OUÉDRAOGO Aïssata" in sheet
        assert "Signé" not in sheet


def test_a_signed_report_has_no_provisional_banner(tmp_path: Path) -> None:
    assert PROVISIONAL not in " ".join(words(report_pdf(SITE, report(), EXAM)[0], tmp_path))


@pytest.mark.parametrize(
    ("state", "flags", "banner"),
    [
        (VersionState.WITHDRAWN, (), "COMPTE RENDU RETIRÉ – NE PAS UTILISER"),
        (VersionState.SUPERSEDED, (), "REMPLACÉ PAR UNE VERSION PLUS RÉCENTE"),
        (VersionState.SIGNED, (Flag.IDENTITY_DOUBTFUL,), "IDENTITÉ EN COURS DE VÉRIFICATION"),
        (VersionState.SIGNED, (Flag.CORRECTION_OPEN,), "CORRECTION EN COURS"),
    ],
)
def test_a_report_that_must_not_be_trusted_says_why(
    state: VersionState, flags: tuple[str, ...], banner: str, tmp_path: Path
) -> None:
    document, _count = report_pdf(SITE, report(state=state), replace(EXAM, flags=flags))
    assert banner in " ".join(words(document, tmp_path))


def test_an_estimated_birth_is_printed_as_an_estimate(tmp_path: Path) -> None:
    exam = replace(EXAM, birth=in_year(2019, Precision.ESTIMATED), sex="M")
    assert "Né vers 2019 (~ 7 ans à l'examen)" in " ".join(words(report_pdf(SITE, report(), exam)[0], tmp_path))


def test_names_of_the_country_keep_their_letters(tmp_path: Path) -> None:
    exam = replace(EXAM, family_name="Ɓeɗe Ŋɔnɛ", given_names="Wẽndpãnga Ɩsa Ʋɩ")
    assert "ƁEƊE ŊƆNƐ Wẽndpãnga Ɩsa Ʋɩ" in " ".join(words(report_pdf(SITE, report(), exam)[0], tmp_path))


def test_a_letter_that_the_typeface_lacks_is_seen_to_be_missing(tmp_path: Path) -> None:
    text = replace(TEXT, conclusion="Lésion 漢 vue.")
    assert "Lésion ¿ vue." in " ".join(words(report_pdf(SITE, report(text), EXAM)[0], tmp_path))


def test_the_same_version_gives_the_same_bytes_with_its_fonts_inside(tmp_path: Path) -> None:
    first, second = report_pdf(SITE, report(), EXAM), report_pdf(SITE, report(), EXAM)
    assert first == second
    (tmp_path / "r.pdf").write_bytes(first[0])
    reader = pypdf.PdfReader(tmp_path / "r.pdf")
    fonts = [font.get_object() for font in reader.pages[0]["/Resources"]["/Font"].values()]  # type: ignore[index]
    drawn = [font for font in fonts if "FiraSans" in font["/BaseFont"]]
    assert drawn
    assert all("/FontFile2" in font["/FontDescriptor"] for font in drawn)


def test_two_desks_print_at_the_same_moment() -> None:
    alone = report_pdf(SITE, report(), EXAM)
    with ThreadPoolExecutor(8) as desks:
        together = list(desks.map(lambda _desk: report_pdf(SITE, report(), EXAM), range(24)))
    assert set(together) == {alone}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=40))
def test_no_text_breaks_the_page(text: str, name: str) -> None:
    version = report(ReportText(findings=text, conclusion=text), sha256="0" * 64)
    document, count = report_pdf(SITE, version, replace(EXAM, given_names=name, exam_label=name, ward=name))
    assert document.startswith(b"%PDF-")
    assert count >= 1
