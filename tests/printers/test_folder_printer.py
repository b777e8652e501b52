"""The folder that plays a printer: whole files, named by our own number, never twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import SetClock
from core.model.printing import PaperKind, PrintState
from printers.folder import FolderPrinter
from printers.lane import Lane
from printers.ports import Condition, Fate
from tests.printers.people import PDF, MemoryQueue, PowerCut


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def lane(queue: MemoryQueue, clock: SetClock, tmp_path: Path) -> Lane:
    return Lane("PDF1", FolderPrinter(tmp_path / "papier"), queue, clock)


def test_a_sheet_is_a_file_named_by_our_number(lane: Lane, queue: MemoryQueue, tmp_path: Path) -> None:
    queue.add(printer="PDF1", paper=PaperKind.REPORT)
    lane.step()
    assert [path.name for path in (tmp_path / "papier").iterdir()] == ["001201-compte-rendu.pdf"]
    assert (tmp_path / "papier" / "001201-compte-rendu.pdf").read_bytes() == PDF


@pytest.mark.parametrize("paper", PaperKind)
def test_every_kind_of_paper_has_its_file(lane: Lane, queue: MemoryQueue, tmp_path: Path, paper: PaperKind) -> None:
    number = queue.add(printer="PDF1", paper=paper)
    lane.step()
    assert [path.read_bytes() for path in (tmp_path / "papier").iterdir()] == [PDF]
    assert queue.state_of(number) is PrintState.DONE


def test_a_sheet_written_before_a_power_cut_is_done_without_being_written_again(
    lane: Lane, queue: MemoryQueue, tmp_path: Path
) -> None:
    number = queue.add(printer="PDF1")
    queue.dies_at = "done"
    with pytest.raises(PowerCut):
        lane.step()
    (tmp_path / "papier" / "001201-convocation.pdf").write_bytes(b"the first copy")
    lane.step()
    lane.step()
    assert queue.state_of(number) is PrintState.DONE
    assert (tmp_path / "papier" / "001201-convocation.pdf").read_bytes() == b"the first copy"


def test_a_sheet_cut_before_it_was_written_is_written(lane: Lane, queue: MemoryQueue, tmp_path: Path) -> None:
    number = queue.add(printer="PDF1")
    queue.sending(queue.jobs[number])
    for _step in range(3):
        lane.step()
    assert queue.history(number) == ["sending", "unknown", "waiting", "sending", "done"]


def test_a_folder_that_cannot_be_written_is_a_printer_that_is_away(queue: MemoryQueue, tmp_path: Path) -> None:
    (tmp_path / "papier").write_text("a file, not a folder")
    printer = FolderPrinter(tmp_path / "papier")
    job = queue.jobs[queue.add(printer="PDF1")]
    assert printer.state().condition is Condition.AWAY
    news = printer.send(job, PDF)
    assert news.fate is Fate.NOT_TAKEN
    assert "dossier impossible à écrire" in news.reason
