"""Paper that leaves the building's network: a convocation on a real IPP Everywhere printer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.model.printing import Printer, PrintState
from core.rpc.contract import PrintConvocation, PrintJobs, SavePrinter
from tests.days.conftest import Department
from tests.peers.ippeveprinter import IppEvePrinter, skip_unless_possible
from tests.printers import paper
from tests.skips import needs_dcmtk, needs_poppler

pytestmark = [pytest.mark.peer, pytest.mark.root]


@pytest.fixture
def laser(tmp_path: Path) -> Iterator[IppEvePrinter]:
    skip_unless_possible()
    with IppEvePrinter(tmp_path / "laser") as printer:
        yield printer


@needs_dcmtk
@needs_poppler
def test_a_convocation_comes_out_of_a_network_printer(
    department: Department, laser: IppEvePrinter, tmp_path: Path
) -> None:
    child = department.child("TRAORÉ")
    step = department.witness.step(department.order(child).AccessionNumber)
    department.site.ask(SavePrinter(Printer("LASER", "ipp", laser.uri)))
    department.site.ask(PrintConvocation(step, "LASER"))
    (job,) = department.once("print", PrintJobs(1), lambda jobs: jobs[0].state in (PrintState.DONE, PrintState.FAILED))
    assert job.state is PrintState.DONE, job.reason
    (sheet,) = laser.printed.iterdir()
    words = " ".join(paper.words(sheet.read_bytes(), tmp_path))
    for said in ("TRAORÉ", child.number, "À jeun 4 heures si sédation."):
        assert said in words
