"""A child, an exam and a report to print, and eyes to read paper with: poppler and a bar code reader."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import zxingcpp
from PIL import Image

from core.config import Site
from core.model.birth import on_day
from core.model.report import ReportText, ReportVersion, VersionState, VersionType
from core.model.step import ExamState
from core.model.worklist import ExamLine

SITE = Site(
    hospital="Hôpital pédiatrique de Ouagadougou",
    patient_prefix="CDG",
    authority="CDG",
    address="01 BP 1198 Ouagadougou 01",
    phone="+226 25 36 67 80",
)
EXAM = ExamLine(
    step_id=1,
    version=1,
    patient_id=1,
    patient_number="CDG0012345",
    family_name="Ouédraogo",
    given_names="Aïssata",
    sex="F",
    birth=on_day(date(2022, 5, 12)),
    accession_number="27-000512",
    exam_code="TDMC",
    exam_label="Scanner cérébral sans injection",
    modality="CT",
    room="SC1",
    state=ExamState(),
    scheduled_at=datetime(2027, 1, 14, 9, 5, tzinfo=UTC),
    prescriber="Dr Issouf TRAORÉ",
    ward="Urgences",
)
TEXT = ReportText(
    indication="Trauma crânien, perte de connaissance ; Glasgow < 15.",
    technique="Hélice sans injection. PDL : 301 mGy.cm.",
    comparison="Aucun examen antérieur.",
    findings="Pas d'hémorragie.\n- Œdème sous-galéal ≥ 8 mm.\n- Ventricules & citernes <normaux>.",
    conclusion="Pas de lésion intracrânienne.",
)


def report(text: ReportText = TEXT, type_: VersionType = VersionType.INITIAL, **changes: object) -> ReportVersion:
    facts: dict[str, object] = {
        "id": 1,
        "step_id": 1,
        "version": 1,
        "type": type_,
        "state": VersionState.RELEASED if type_ is VersionType.PRELIMINARY else VersionState.SIGNED,
        "author": "Dr Awa KINDA",
        "signer": "" if type_ is VersionType.PRELIMINARY else "Dr Salif ZONGO",
        "text": text,
        "sha256": text.sha256(),
        "at": datetime(2027, 1, 14, 14, 20, tzinfo=UTC),
    }
    return ReportVersion(**{**facts, **changes})  # type: ignore[arg-type]


def words(pdf: bytes, folder: Path) -> list[str]:
    """The words of every page, as pdftotext reads them."""
    return " ".join(pages(pdf, folder)).split()


def pages(pdf: bytes, folder: Path) -> list[str]:
    (folder / "page.pdf").write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-raw", "page.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().split("\f")[:-1]


def codes(pdf: bytes, folder: Path, dpi: int = 200) -> set[tuple[str, str]]:
    """(format, content) of each bar code that a reader finds on the first page."""
    (folder / "page.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dpi), "-png", "-singlefile", "page.pdf", "page"], cwd=folder, check=True)
    with Image.open(folder / "page.png") as image:
        read = zxingcpp.read_barcodes(image.convert("L"))
    return {(one.format.name, one.text) for one in read}
