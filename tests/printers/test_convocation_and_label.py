"""The slip that a family keeps, the label and the wristband: readable by people and by bar code readers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pypdf
import pytest

from core.errors import BadInput
from printers.pages.convocation import convocation_pdf
from printers.pages.label import label_pdf, wristband_pdf
from printers.pages.press import Press
from tests.printers.paper import EXAM, SITE, codes, report, words
from tests.skips import needs_poppler

pytestmark = needs_poppler


def test_the_family_reads_when_where_and_how_to_prepare(tmp_path: Path) -> None:
    document, count = convocation_pdf(SITE, EXAM, "À jeun depuis 4 heures.\nBoire de l'eau est permis.")
    paper = " ".join(words(document, tmp_path))
    assert count == 1
    for sentence in (
        "Scanner cérébral sans injection Jeudi 14 janvier 2027 à 9 h 05 Service d'imagerie médicale, salle SC1",
        "OUÉDRAOGO Aïssata Née le 12/05/2022",
        "Préparation À jeun depuis 4 heures. Boire de l'eau est permis.",
        "prévenez le service : tél. +226 25 36 67 80.",
    ):
        assert sentence in paper


def test_an_exam_without_preparation_or_date_says_so(tmp_path: Path) -> None:
    paper = " ".join(words(convocation_pdf(SITE, replace(EXAM, scheduled_at=None), "")[0], tmp_path))
    assert "Aucune préparation particulière." in paper
    assert "Date à fixer avec le service" in paper


def test_reception_scans_the_request_number_from_the_slip(tmp_path: Path) -> None:
    read = codes(convocation_pdf(SITE, EXAM, "")[0], tmp_path)
    assert read == {("QRCode", "27-000512"), ("Code128", "27-000512")}


@pytest.mark.parametrize(("patient", "request_"), [("CDG0012345", "27-000512"), ("X-20270112-01", "27-000513-UBNH12")])
def test_the_label_has_both_numbers_as_bars_and_as_words(patient: str, request_: str, tmp_path: Path) -> None:
    document = label_pdf(replace(EXAM, patient_number=patient, accession_number=request_))
    assert codes(document, tmp_path, dpi=400) == {("Code128", patient), ("Code128", request_)}
    paper = " ".join(words(document, tmp_path))
    for fact in ("OUÉDRAOGO", "Aïssata", "Née le 12/05/2022 · F", "Scanner cérébral", patient, request_):
        assert fact in paper


def test_a_long_name_stays_whole_on_the_label(tmp_path: Path) -> None:
    twin = replace(EXAM, family_name="OUEDRAOGO NACOULMA", given_names="BEBE 2 DE RASMATA WENDPANGA")
    assert "OUEDRAOGO NACOULMA BEBE 2 DE RASMATA WENDPANGA" in " ".join(words(label_pdf(twin), tmp_path))


def test_the_label_is_as_large_as_the_roll(tmp_path: Path) -> None:
    (tmp_path / "label.pdf").write_bytes(label_pdf(EXAM))
    box = pypdf.PdfReader(tmp_path / "label.pdf").pages[0].mediabox
    assert (round(float(box.width) / 72 * 25.4), round(float(box.height) / 72 * 25.4)) == (50, 25)


def test_the_wristband_names_the_child_and_scans(tmp_path: Path) -> None:
    document = wristband_pdf(EXAM)
    assert codes(document, tmp_path) == {("QRCode", "CDG0012345")}
    assert "OUÉDRAOGO Aïssata" in " ".join(words(document, tmp_path))


def test_a_number_that_no_bar_code_can_hold_is_refused() -> None:
    with pytest.raises(BadInput, match="code-barres"):
        label_pdf(replace(EXAM, patient_number="É1"))


def test_the_press_makes_what_services_ask_for() -> None:
    press = Press(SITE)
    assert press.report(report(), EXAM).mime == press.convocation(EXAM, "").mime == "application/pdf"
    assert press.label(EXAM, "pdf").document.startswith(b"%PDF-")
    assert press.label(EXAM, "zpl").mime == "application/vnd.zebra-zpl"
