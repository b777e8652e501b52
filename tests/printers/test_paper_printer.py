"""The queue against a real IPP printer: nothing lost, nothing printed twice, and the printer's troubles in French."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from core.clock import SetClock, SystemClock
from core.model.printing import PrintState
from printers.ipp.client import IppClient
from printers.ipp.driver import IppPrinter
from printers.ipp.message import GroupTag
from printers.lane import Lane
from printers.ports import Condition, Fate, name_at_printer
from tests.peers.ippeveprinter import IppEvePrinter
from tests.printers.people import PDF, MemoryQueue, PowerCut

pytestmark = [pytest.mark.peer, pytest.mark.root]
HANGING_S = 30


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def lane(laser: IppEvePrinter, queue: MemoryQueue, clock: SetClock, real_clock: SystemClock) -> Lane:
    return Lane("LASER1", IppPrinter(laser.uri, real_clock), queue, clock)


def step_until(lane: Lane, true: Callable[[], bool]) -> None:
    """Steps with the lane's clock pushed on between them: each one asks the printer."""
    end = time.monotonic() + HANGING_S
    while not true():
        assert time.monotonic() < end, "the printer hangs"
        lane.step()
        lane._clock.advance(61)  # type: ignore[attr-defined]


def test_a_convocation_comes_out_once_and_is_done(lane: Lane, queue: MemoryQueue, laser: IppEvePrinter) -> None:
    number = queue.add()
    step_until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    printed = list(laser.printed.iterdir())
    assert [path.read_bytes() for path in printed] == [PDF]
    assert [path.name for path in printed] == [name_at_printer(queue.jobs[number])]


def test_a_wrong_queue_of_a_real_printer_is_not_shown_as_good(laser: IppEvePrinter, real_clock: SystemClock) -> None:
    wrong = IppPrinter(laser.uri.replace("/ipp/print", "/printers/etage2"), real_clock)
    assert wrong.state().condition in (Condition.AWAY, Condition.WARNING)
    assert IppPrinter(laser.uri, real_clock).state().condition is Condition.OK


def test_two_sheets_come_out_in_their_order(lane: Lane, queue: MemoryQueue, laser: IppEvePrinter) -> None:
    first, second = queue.add(PDF + b"1"), queue.add(PDF + b"2")
    step_until(lane, lambda: queue.state_of(second) is PrintState.DONE)
    assert queue.state_of(first) is PrintState.DONE
    done = [number for number, verb in queue.told_of if verb == "done"]
    assert done == [first, second]


def test_no_paper_is_said_in_french_and_the_sheet_ends_when_paper_comes(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    laser.falls_ill("media-empty-error")
    number = queue.add()
    step_until(lane, lambda: queue.state_of(number) is PrintState.PRINTING and "papier vide" in queue.reasons[number])
    laser.is_cured()
    step_until(lane, lambda: queue.state_of(number) is PrintState.DONE)


def test_the_printer_says_that_it_has_no_paper(lane: Lane, queue: MemoryQueue, laser: IppEvePrinter) -> None:
    laser.falls_ill("media-empty-error")
    queue.add()
    printer = IppPrinter(laser.uri, SystemClock())
    step_until(lane, lambda: printer.state().condition is Condition.WARNING)
    assert printer.state().sentence == "papier vide"
    laser.is_cured()


def test_a_busy_printer_delays_the_sheet_and_loses_nothing(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    laser.falls_ill("media-empty-error")
    someone_else = IppClient(laser.uri)
    someone_else.print_job("autre", "application/pdf", [], PDF)
    number = queue.add()
    step_until(lane, lambda: "waiting" in queue.history(number))
    assert queue.reasons[number] == "occupée"
    laser.is_cured()
    step_until(lane, lambda: queue.state_of(number) is PrintState.DONE)


def test_a_job_that_the_printer_gives_up_is_failed_with_its_reason(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    laser.will_fail()
    number = queue.add()
    step_until(lane, lambda: queue.state_of(number) is PrintState.FAILED)
    assert "abandonné par l'imprimante" in queue.reasons[number]


def test_a_document_that_the_printer_does_not_read_is_refused_before_it_leaves(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    number = queue.add(b"^XA^XZ", mime="application/vnd.zebra-zpl")
    step_until(lane, lambda: queue.state_of(number) is PrintState.FAILED)
    assert "application/vnd.zebra-zpl" in queue.reasons[number]
    assert not list(laser.printed.iterdir())


def test_a_paper_that_the_printer_does_not_know_is_refused_in_words(
    queue: MemoryQueue, laser: IppEvePrinter, clock: SetClock, real_clock: SystemClock
) -> None:
    lane = Lane("LASER1", IppPrinter(laser.uri, real_clock, media="iso_a0_841x1189mm"), queue, clock)
    number = queue.add()
    step_until(lane, lambda: queue.state_of(number) is PrintState.FAILED)
    assert "iso_a0_841x1189mm" in queue.reasons[number]


def test_after_a_power_cut_during_sending_the_sheet_is_not_printed_again(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter, clock: SetClock, real_clock: SystemClock
) -> None:
    queue.dies_at = "taken"
    number = queue.add()
    with pytest.raises(PowerCut):
        step_until(lane, lambda: False)
    assert queue.state_of(number) is PrintState.SENDING
    woken_up = Lane("LASER1", IppPrinter(laser.uri, real_clock), queue, clock)
    step_until(woken_up, lambda: queue.state_of(number) is PrintState.DONE)
    assert "unknown" in queue.history(number)
    assert len(list(laser.printed.iterdir())) == 1


def test_an_answer_lost_on_the_line_is_not_a_second_sheet(
    queue: MemoryQueue, laser: IppEvePrinter, clock: SetClock, real_clock: SystemClock
) -> None:
    number = queue.add()
    printer = IppPrinter(laser.uri, real_clock)
    send = printer._client.print_job

    def send_into_the_dark(*arguments: object) -> object:
        laser.line.swallow_answers = True
        return send(*arguments[:-1])  # type: ignore[arg-type]

    printer._client.print_job = send_into_the_dark  # type: ignore[assignment, method-assign]
    lane = Lane("LASER1", printer, queue, clock)
    lane.step()
    assert queue.state_of(number) is PrintState.UNKNOWN
    laser.line.swallow_answers = False
    step_until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert len(list(laser.printed.iterdir())) == 1


def test_a_sheet_that_never_came_is_sent_again_when_the_printer_remembers_an_older_one(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    step_until(lane, lambda: _up_time(laser) > 0)
    older = queue.add()
    step_until(lane, lambda: queue.state_of(older) is PrintState.DONE)
    job = queue.jobs[queue.add()]
    printer = IppPrinter(laser.uri, SystemClock())
    printer._sent_at = (job.id, _up_time(laser))
    assert printer.find(job).fate is Fate.NOT_TAKEN


def test_a_printer_without_memory_leaves_the_decision_to_a_person(queue: MemoryQueue, laser: IppEvePrinter) -> None:
    job = queue.jobs[queue.add()]
    printer = IppPrinter(laser.uri, SystemClock())
    assert printer.find(job).fate is Fate.CANNOT_TELL


def test_a_sheet_withdrawn_by_a_person_is_cancelled_at_the_printer(
    lane: Lane, queue: MemoryQueue, laser: IppEvePrinter
) -> None:
    laser.falls_ill("media-empty-error")
    number = queue.add()
    step_until(lane, lambda: queue.state_of(number) is PrintState.PRINTING)
    queue.withdraw(number)
    step_until(lane, lambda: "told" in queue.history(number))
    laser.is_cured()
    printer = IppPrinter(laser.uri, SystemClock())
    step_until(lane, lambda: printer.follow(queue.jobs[number]).fate is Fate.CANCELLED)


def test_a_printer_that_is_off_is_away_and_the_sheet_waits(
    queue: MemoryQueue, clock: SetClock, real_clock: SystemClock
) -> None:
    lane = Lane("LASER1", IppPrinter("ipp://127.0.0.1:9/ipp/print", real_clock), queue, clock)
    number = queue.add()
    lane.step()
    assert queue.state_of(number) is PrintState.QUEUED
    assert queue.reasons[number] == "L'imprimante ne répond pas."
    assert queue.states[-1].condition is Condition.AWAY


def _up_time(laser: IppEvePrinter) -> int:
    answer = IppClient(laser.uri).printer_attributes(["printer-up-time"])
    return answer.group(GroupTag.PRINTER).number("printer-up-time") or 0
