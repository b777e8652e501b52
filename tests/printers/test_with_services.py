"""The runner on the real queue: what people ask for at the desk comes out, and what happened is in the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SetClock, SystemClock
from core.errors import NotFound
from core.index.tables import Audit
from core.model.birth import on_day
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.printing import PaperKind, Printer, PrintJob, PrintState
from core.services import Ports, Services
from printers.drivers import driver_for
from printers.ipp.driver import IppPrinter
from printers.lane import Lane
from printers.pages.press import Press
from printers.queue import PrintRunner
from tests.peers.ippeveprinter import IppEvePrinter
from tests.people.hospital import ADMIN, RECEPTION, hospital, site_config
from tests.printers.paper import words
from tests.printers.people import PDF
from tests.services.test_identity import planned
from tests.skips import needs_poppler

HANGING_S = 30


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Services]:
    """A department whose paper falls into a folder."""
    config = site_config(tmp_path)
    with hospital(tmp_path, SystemClock(), Ports(pages=Press(config.site)), config) as services:
        yield services


def enqueue(services: Services, printer: str = "LASER1") -> PrintJob:
    return services.printing.enqueue(
        RECEPTION, printer, PaperKind.CONVOCATION, "Convocation", "KABORE Fatou", PDF, "application/pdf"
    )


def lane_of(services: Services, printer: str, clock: SetClock) -> Lane:
    declared = next(one for one in services.printing.printers() if one.name == printer)
    driver = driver_for(declared, services.config.data, services.clock)
    return Lane(printer, driver, services.printing, clock)


def step_until(lane: Lane, clock: SetClock, true: Callable[[], bool]) -> None:
    end = time.monotonic() + HANGING_S
    while not true():
        assert time.monotonic() < end, "the printer hangs"
        lane.step()
        clock.advance(61)


@needs_poppler
def test_a_convocation_asked_at_the_desk_falls_into_the_folder(desk: Services, tmp_path: Path) -> None:
    child = desk.patients.register(RECEPTION, Demographics("KABORE", "Fatou", on_day(datetime(2019, 5, 1).date()), "F"))
    order = desk.orders.place(
        RECEPTION,
        OrderDraft(
            child.id,
            "TDM-ABDO",
            "Dr DIALLO",
            "Douleurs abdominales",
            room="SC1",
            scheduled_at=datetime(2026, 11, 25, 9, 5, tzinfo=UTC),
        ),
    )
    news = threading.Event()
    desk.printing.on_work(lambda printer: news.set())
    runner = PrintRunner(
        desk.printing.printers,
        lambda printer: driver_for(printer, tmp_path, desk.clock),
        desk.printing,
        desk.clock,
        desk.release_thread,
    )
    runner.start()
    desk.printing.on_work(runner.wake)
    job = desk.paper.print_convocation(RECEPTION, order.step_id)
    sheet = tmp_path / "papier" / f"{job.id:06d}-convocation.pdf"
    while desk.printing.job(job.id).state is not PrintState.DONE:
        assert news.wait(HANGING_S), "nothing more happens"
        news.clear()
    runner.stop()
    assert "à jeun 4 h" in " ".join(words(sheet.read_bytes(), tmp_path))


def test_each_sheet_is_an_audit_row_at_the_moment_of_sending(desk: Services, clock: SetClock) -> None:
    job = enqueue(desk)
    lane_of(desk, "LASER1", clock).step()
    rows = [row for row in Audit.select() if row.object == f"job:{job.id}"]
    assert [row.action for row in rows] == ["print", "print_send"]


def test_a_wall_clock_set_back_by_years_delays_no_sheet(tmp_path: Path) -> None:
    wall = SetClock(datetime(2029, 1, 1, tzinfo=UTC))
    with hospital(tmp_path, wall) as services:
        services.printing.save_printer(ADMIN, Printer("LASER2", "folder", "nulle/part"))
        (tmp_path / "nulle").write_text("a file where the folder should be")
        job = enqueue(services, "LASER2")
        lane = lane_of(services, "LASER2", wall)
        lane.step()
        assert services.printing.job(job.id).state is PrintState.QUEUED
        wall.jump(-3 * 365 * 86400)
        wall.advance(61)
        (tmp_path / "nulle").unlink()
        lane.step()
        assert services.printing.job(job.id).state is PrintState.DONE


def test_jobs_of_a_killed_box_are_asked_after_not_printed_again(
    desk: Services, laser: IppEvePrinter, clock: SetClock
) -> None:
    """P3: the box dies between sending and the answer."""
    desk.printing.save_printer(ADMIN, Printer("LASER2", "ipp", laser.uri))
    job = desk.printing.sending(enqueue(desk, "LASER2"))
    IppPrinter(laser.uri, desk.clock).send(job, PDF)
    lane = lane_of(desk, "LASER2", clock)
    step_until(lane, clock, lambda: desk.printing.job(job.id).state is PrintState.DONE)
    assert len(list(laser.printed.iterdir())) == 1


def test_diverting_takes_the_sheet_from_the_first_printer(
    desk: Services, laser: IppEvePrinter, clock: SetClock
) -> None:
    """P7."""
    desk.printing.save_printer(ADMIN, Printer("LASER2", "ipp", laser.uri))
    laser.falls_ill("media-empty-error")
    job = enqueue(desk, "LASER2")
    lane = lane_of(desk, "LASER2", clock)
    step_until(lane, clock, lambda: "papier vide" in desk.printing.job(job.id).reason)
    elsewhere = desk.printing.divert(RECEPTION, job.id, "LASER1")
    step_until(lane, clock, lambda: desk.printing.job(job.id).remote_job_id is None)
    step_until(lane_of(desk, "LASER1", clock), clock, lambda: desk.printing.job(elsewhere.id).state is PrintState.DONE)
    laser.is_cured()
    assert desk.printing.job(job.id).state is PrintState.CANCELLED


def test_a_sheet_diverted_to_a_printer_that_does_not_exist_stays_where_it_is(desk: Services) -> None:
    job = enqueue(desk)
    with pytest.raises(NotFound):
        desk.printing.divert(RECEPTION, job.id, "LASER9")
    assert desk.printing.job(job.id).state is PrintState.QUEUED


@needs_poppler
def test_a_wristband_comes_out_with_the_childs_number(desk: Services, tmp_path: Path) -> None:
    step, number, _uid = planned(desk)
    job = desk.paper.print_wristband(RECEPTION, step)
    assert job.paper.word == "Bracelet"
    band = " ".join(words(desk.printing.document(job), tmp_path))
    assert number in band
    assert "OUEDRAOGO" in band
