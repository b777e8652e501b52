"""The technologist's console and the print queue, on a real pseudo-terminal against a real core."""

from __future__ import annotations

from core.model.printing import Printer, PrintState
from core.model.step import ReportStatus, StepStatus
from tests.people.hospital import ADMIN, RECEPTION
from tests.tui.conftest import Department, Post
from tests.tui.harness import Terminal


def in_the_scanner_room(post: Post) -> Terminal:
    terminal = post("manip1")
    terminal.press("f10", "s")
    terminal.wait_for("SC1 Scanner")
    terminal.press("e")
    terminal.wait_for("YELEN Salle SC1")
    return terminal


def test_f6_begins_and_ends_an_exam_with_its_dose_and_f9_sends_it_to_be_read(
    department: Department, post: Post
) -> None:
    step = department.lines()[0].step_id
    department.services.scheduling.arrive(RECEPTION, step)
    terminal = in_the_scanner_room(post)
    assert "ARRIVE    OUEDRAOGO Aïcha  4 ans 6 mois F" in terminal.row(1)
    terminal.press("f6", "enter")
    terminal.wait_for("F6 = TERMINER")
    assert department.line(step).state.step is StepStatus.STARTED
    terminal.press("f6", "enter", "enter", "enter")
    terminal.wait_for("La dose est demandée pour un scanner")
    terminal.press("301", "tab", "18,4", "tab", "enter")
    terminal.wait_for("PDL 301 mGy.cm, CTDIvol 18,4 mGy")
    assert department.line(step).state.step is StepStatus.COMPLETED
    terminal.press("f9")
    terminal.wait_for("valider quand même")
    terminal.press("images sur film", "enter")
    terminal.wait_for("est à interpréter")
    assert department.line(step).state.report is ReportStatus.DUE


def test_interrupting_asks_why(department: Department, post: Post) -> None:
    step = department.lines()[0].step_id
    department.services.scheduling.arrive(RECEPTION, step)
    terminal = in_the_scanner_room(post)
    terminal.press("delete")
    terminal.wait_for("Impossible maintenant : l'examen est « accueil ».")
    terminal.press("f6", "enter")
    terminal.wait_for("F6 = TERMINER")
    terminal.press("delete", "enfant agité", "enter")
    terminal.wait_for("INTERROM.")
    assert department.line(step).state.step is StepStatus.DISCONTINUED


def test_an_arrival_at_reception_appears_in_the_room_at_once(department: Department, post: Post) -> None:
    terminal = in_the_scanner_room(post)
    assert "ARRIVE" not in terminal.text
    department.services.scheduling.arrive(RECEPTION, department.lines()[3].step_id)
    terminal.wait_for("ARRIVE")


def test_the_print_queue_is_retried_diverted_and_cancelled_in_words(department: Department, post: Post) -> None:
    services = department.services
    services.printing.save_printer(ADMIN, Printer("LASER2", "folder", str(department.socket.parent / "papier")))
    first = department.lines()[0]
    job = services.paper.print_label(RECEPTION, first.step_id)
    services.printing.failed(job, "papier vide")
    terminal = post()
    terminal.press("f10", "i")
    terminal.wait_for("YELEN Impressions")
    assert "ECHEC" in terminal.row(5)
    assert "papier vide" in terminal.text
    terminal.press("f6")
    terminal.wait_for("ATTENTE")
    assert services.printing.job(job.id).state is PrintState.QUEUED
    terminal.press("f8")
    terminal.wait_for("Vers quelle imprimante")
    terminal.press("enter")
    terminal.wait_for("LASER2      OUEDRAOGO Aïcha")
    terminal.press("home", "delete", "enter")
    assert services.printing.jobs(RECEPTION)[0].state is PrintState.QUEUED
    terminal.press("delete", "o")
    terminal.wait_for("annulé par reception1")
    assert services.printing.jobs(RECEPTION)[0].state is PrintState.CANCELLED


def test_a_new_job_is_counted_and_moves_nothing(department: Department, post: Post) -> None:
    department.services.paper.print_label(RECEPTION, department.lines()[0].step_id)
    terminal = post()
    terminal.press("f10", "i")
    terminal.wait_for("YELEN Impressions")
    department.services.paper.print_label(RECEPTION, department.lines()[1].step_id)
    terminal.wait_for("+1 changement (F5)")
    assert "SAWADOGO" not in terminal.text
    terminal.press("f5")
    terminal.wait_for("SAWADOGO Moussa")
