"""The conformance statement says what the door does."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dicom import conformance
from core.dicom.handlers import Routes
from core.dicom.server import DicomServer
from core.dicom.statement import statement
from core.errors import BadInput
from install.commands.conformance import stated
from tests.dicom.department import Department

ROOT = Path(__file__).parents[2]


def test_every_class_the_door_answers_is_stated(department: Department, department_door: DicomServer) -> None:
    routes: Routes = department_door.routes
    said = statement()
    for abstract_syntax, _operation in routes.handlers:
        assert abstract_syntax in said
    for syntax in conformance.STORAGE_SYNTAXES:
        assert f"| {syntax} |" in said


def test_deflated_is_stated_nowhere() -> None:
    assert "1.2.840.10008.1.2.1.99" not in statement()


def test_every_answer_of_the_quarantine_is_stated() -> None:
    said = statement()
    for line in (
        "| 0xA900 | mis de côté : identifiants DICOM absents",
        "| 0x0111 |",
        "| 0xC000 | mis de côté : fichier tronqué",
    ):
        assert line in said


def test_the_rejection_of_a_stranger_is_stated() -> None:
    assert "| (1, 1, 3) | machine non déclarée" in statement()


def test_the_page_of_the_machines_states_what_the_door_does() -> None:
    """When it does not: `yelen conformance --into scanners/README.md`."""
    page = (ROOT / "scanners" / "README.md").read_text("utf-8")
    assert stated(page) == page, "run: yelen conformance --into scanners/README.md"


def test_a_page_without_its_marks_is_not_written() -> None:
    with pytest.raises(BadInput, match="marques"):
        stated("# une page\n")
