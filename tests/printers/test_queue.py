"""The lane of one printer, with a driver that says what it is told to say and a clock that moves when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.clock import SetClock, SystemClock
from core.model.printing import Printer, PrintJob, PrintState
from printers.drivers import driver_for
from printers.lane import WATCH_S, Lane
from printers.payload import checked
from printers.ports import Condition, Fate, News, PrinterState
from printers.queue import PrintRunner
from tests.printers.people import PDF, MemoryQueue

HANGING_S = 30


@dataclass
class Says:
    """A printer that gives these answers, in this order, the last one for ever."""

    send_: list[News] = field(default_factory=lambda: [News(Fate.DONE)])
    find_: list[News] = field(default_factory=lambda: [News(Fate.CANNOT_TELL)])
    health: PrinterState = field(default_factory=lambda: PrinterState(Condition.OK))
    sent: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    before_sending: Callable[[PrintJob], None] = lambda job: None

    def state(self) -> PrinterState:
        return self.health

    def send(self, job: PrintJob, document: bytes) -> News:
        self.before_sending(job)
        self.sent.append(job.id)
        return _next(self.send_)

    def follow(self, job: PrintJob) -> News:
        return News(Fate.DONE)

    def find(self, job: PrintJob) -> News:
        return _next(self.find_)

    def cancel(self, job: PrintJob) -> News:
        self.cancelled.append(job.id)
        return News(Fate.CANCELLED)


def _next(answers: list[News]) -> News:
    return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


def lane_of(printer: Says, queue: MemoryQueue, clock: SetClock) -> Lane:
    return Lane("LASER1", printer, queue, clock)


def test_a_sheet_is_marked_sending_before_a_byte_leaves(queue: MemoryQueue, clock: SetClock) -> None:
    """P9: the audit row is written with that mark."""
    number = queue.add()
    seen: list[PrintState] = []
    lane_of(Says(before_sending=lambda job: seen.append(queue.state_of(number))), queue, clock).step()
    assert seen == [PrintState.SENDING]


def test_a_busy_printer_is_asked_later_and_later_but_for_ever(queue: MemoryQueue, clock: SetClock) -> None:
    """P2: no loss, and no attempt before its time."""
    number = queue.add()
    printer = Says([News(Fate.NOT_TAKEN, "occupée")])
    lane = lane_of(printer, queue, clock)
    for wait in (2, 5, 10, 20, 30, 60, 60):
        lane.step()
        tries = len(printer.sent)
        clock.advance(wait - 0.1)
        lane.step()
        assert len(printer.sent) == tries
        clock.advance(0.2)
    assert queue.state_of(number) is PrintState.QUEUED


def test_a_busy_printer_lets_nobody_pass(queue: MemoryQueue, clock: SetClock) -> None:
    first, second = queue.add(), queue.add()
    printer = Says([News(Fate.NOT_TAKEN, "occupée")] * 3 + [News(Fate.DONE)])
    lane = lane_of(printer, queue, clock)
    for _step in range(12):
        lane.step()
        clock.advance(60)
    assert printer.sent == [first] * 4 + [second]


def test_a_person_who_resumes_does_not_wait(queue: MemoryQueue, clock: SetClock) -> None:
    number = queue.add()
    printer = Says([News(Fate.NOT_TAKEN)])
    lane = lane_of(printer, queue, clock)
    lane.step()
    queue.resume(number)
    lane.step()
    assert len(printer.sent) == 2


def test_a_wall_clock_set_back_delays_nothing(queue: MemoryQueue, clock: SetClock) -> None:
    queue.add()
    printer = Says([News(Fate.NOT_TAKEN), News(Fate.DONE)])
    lane = lane_of(printer, queue, clock)
    lane.step()
    clock.jump(-2 * 365 * 86400)
    clock.advance(3)
    lane.step()
    assert len(printer.sent) == 2


def test_a_printer_that_comes_back_prints_without_waiting_out_the_back_off(queue: MemoryQueue, clock: SetClock) -> None:
    number = queue.add()
    printer = Says(health=PrinterState(Condition.AWAY, (), "ne répond pas"))
    lane = lane_of(printer, queue, clock)
    for _step in range(8):
        lane.step()
        clock.advance(60)
    assert (queue.state_of(number), queue.reasons[number], printer.sent) == (PrintState.QUEUED, "ne répond pas", [])
    assert queue.jobs[number].attempts == 0
    lane.step()
    printer.health = PrinterState(Condition.OK)
    clock.advance(WATCH_S)
    lane.step()
    assert queue.state_of(number) is PrintState.DONE


def test_a_refusal_is_final_with_its_reason(queue: MemoryQueue, clock: SetClock) -> None:
    """P4."""
    number = queue.add()
    lane_of(Says([News(Fate.FAILED, "réglage non pris en charge (media = iso_a3)")]), queue, clock).step()
    assert (queue.state_of(number), queue.reasons[number]) == (
        PrintState.FAILED,
        "réglage non pris en charge (media = iso_a3)",
    )


def test_a_silent_answer_is_not_sent_again_before_the_printer_was_asked(queue: MemoryQueue, clock: SetClock) -> None:
    """P3."""
    number = queue.add()
    printer = Says([News(Fate.DOUBTFUL, "silence")], [News(Fate.DOUBTFUL, "silence"), News(Fate.DONE)])
    lane = lane_of(printer, queue, clock)
    lane.step()
    assert queue.state_of(number) is PrintState.UNKNOWN
    for _step in range(4):
        clock.advance(60)
        lane.step()
    assert (queue.state_of(number), printer.sent) == (PrintState.DONE, [number])


def test_a_sheet_that_never_came_is_sent_again(queue: MemoryQueue, clock: SetClock) -> None:
    number = queue.add()
    printer = Says([News(Fate.DOUBTFUL), News(Fate.DONE)], [News(Fate.NOT_TAKEN)])
    lane = lane_of(printer, queue, clock)
    for _step in range(4):
        lane.step()
        clock.advance(60)
    assert (queue.state_of(number), printer.sent) == (PrintState.DONE, [number, number])


def test_a_printer_that_cannot_tell_leaves_it_to_a_person_and_prints_the_next(
    queue: MemoryQueue, clock: SetClock
) -> None:
    doubtful, following = queue.add(), queue.add()
    lane = lane_of(Says([News(Fate.DOUBTFUL), News(Fate.DONE)], [News(Fate.CANNOT_TELL)]), queue, clock)
    for _step in range(4):
        lane.step()
        clock.advance(60)
    assert queue.asks_a_person(doubtful)
    assert queue.state_of(following) is PrintState.DONE


def test_the_printer_is_looked_at_every_few_seconds_and_only_news_is_told(queue: MemoryQueue, clock: SetClock) -> None:
    """P5."""
    printer = Says()
    lane = lane_of(printer, queue, clock)
    lane.step()
    clock.advance(WATCH_S)
    lane.step()
    printer.health = PrinterState(Condition.STOPPED, ("media-empty-error",), "papier vide")
    clock.advance(WATCH_S)
    lane.step()
    assert [state.sentence for state in queue.states] == ["", "papier vide"]
    assert WATCH_S < 5


def test_a_withdrawn_sheet_is_cancelled_once(queue: MemoryQueue, clock: SetClock) -> None:
    """P7."""
    number = queue.add()
    queue.withdraw(number)
    printer = Says()
    lane = lane_of(printer, queue, clock)
    lane.step()
    lane.step()
    assert printer.cancelled == [number]


@pytest.mark.parametrize(
    ("document", "mime"),
    [
        (b"%!PS-Adobe-3.0", "application/pdf"),
        (b"\x1b%-12345X@PJL\n%!PS", "application/pdf"),
        (b"%PDF-" + b"x" * 50_000_000, "application/pdf"),
        (PDF, "text/plain"),
        (PDF, "application/vnd.zebra-zpl"),
    ],
)
def test_what_is_not_ours_is_never_sent(document: bytes, mime: str, queue: MemoryQueue, clock: SetClock) -> None:
    """P8."""
    number = queue.add(document, mime=mime)
    printer = Says()
    lane_of(printer, queue, clock).step()
    assert (queue.state_of(number), printer.sent) == (PrintState.FAILED, [])


def test_pjl_around_a_pdf_is_stripped() -> None:
    wrapped = b"\x1b%-12345X@PJL SET COPIES=999\r\n" + PDF + b"\x1b%-12345X\r\n"
    assert checked(wrapped, "application/pdf") == PDF


def runner_of(printers: dict[str, Says], queue: MemoryQueue) -> PrintRunner:
    declared = [Printer(name, "folder", name) for name in printers]
    return PrintRunner(lambda: declared, lambda printer: printers[printer.name], queue, SystemClock())


def test_the_runner_drains_every_printer_and_stops(queue: MemoryQueue) -> None:
    done = threading.Semaphore(0)
    queue_done = queue.done

    def tell(job: PrintJob, reason: str) -> None:
        queue_done(job, reason)
        done.release()

    queue.done = tell  # type: ignore[method-assign]
    jobs = [queue.add(printer=name) for name in ("LASER1", "ETIQ1", "LASER1")]
    runner = runner_of({"LASER1": Says(), "ETIQ1": Says()}, queue)
    runner.start()
    late = queue.add(printer="ETIQ1")
    runner.wake("ETIQ1")
    for _job in (*jobs, late):
        assert done.acquire(timeout=HANGING_S)
    runner.stop()
    assert {queue.state_of(number) for number in (*jobs, late)} == {PrintState.DONE}


def test_a_fault_of_ours_does_not_stop_the_printer_for_good(queue: MemoryQueue) -> None:
    fell, done = threading.Event(), threading.Event()
    number = queue.add()
    document, queue_done = queue.document, queue.done

    def fails_once(job: PrintJob) -> bytes:
        if not fell.is_set():
            fell.set()
            raise ZeroDivisionError
        return document(job)

    def tell(job: PrintJob, reason: str) -> None:
        queue_done(job, reason)
        done.set()

    queue.document, queue.done = fails_once, tell  # type: ignore[method-assign]
    runner = runner_of({"LASER1": Says()}, queue)
    runner.start()
    assert fell.wait(HANGING_S)
    runner.wake("LASER1")
    assert done.wait(HANGING_S)
    runner.stop()
    assert queue.state_of(number) is PrintState.DONE


def test_a_printer_declared_while_the_box_runs_is_followed_and_a_moved_one_is_followed_there(
    queue: MemoryQueue,
) -> None:
    declared: list[Printer] = []
    first, second = Says(), Says()
    done = threading.Semaphore(0)
    queue_done = queue.done

    def tell(job: PrintJob, reason: str) -> None:
        queue_done(job, reason)
        done.release()

    queue.done = tell  # type: ignore[method-assign]
    at = {"here": first, "there": second}
    runner = PrintRunner(lambda: list(declared), lambda printer: at[printer.uri], queue, SystemClock())
    runner.start()
    for place in at:
        declared[:] = [Printer("LASER1", "folder", place)]
        runner._follow_declarations()
        queue.add()
        runner.wake("LASER1")
        assert done.acquire(timeout=HANGING_S)
    runner.stop()
    assert (len(first.sent), len(second.sent)) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        Printer("FAX1", "fax", "5551"),
        Printer("FAX1", "ipp", "ipp://laser:99999/ipp/print"),
        Printer("FAX1", "raw", f"zebra:{'9' * 5000}"),
    ],
    ids=["kind", "port", "endless"],
)
def test_a_printer_with_an_impossible_address_says_so_and_hinders_no_other(queue: MemoryQueue, wrong: Printer) -> None:
    said, done = threading.Event(), threading.Event()
    queue_is, queue_done = queue.printer_is, queue.done

    def hear(printer: str, state: PrinterState) -> None:
        queue_is(printer, state)
        if printer == "FAX1":
            said.set()

    def tell(job: PrintJob, reason: str) -> None:
        queue_done(job, reason)
        done.set()

    queue.printer_is, queue.done = hear, tell  # type: ignore[method-assign]
    declared = [wrong, Printer("PDF1", "folder", "papier")]
    clock = SystemClock()
    number = queue.add(printer="PDF1")
    runner = PrintRunner(
        lambda: declared, lambda one: driver_for(one, Path("/"), clock) if one is wrong else Says(), queue, clock
    )
    runner.start()
    assert said.wait(HANGING_S)
    assert done.wait(HANGING_S)
    runner.stop()
    assert queue.state_of(number) is PrintState.DONE
