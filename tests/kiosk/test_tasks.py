"""« À faire »: a line waits for its people, is settled with a word of what was done, and never hides a doubt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.index.tables import Audit, Task
from core.services import Services
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RECEPTION, TECHNOLOGIST

LogIn = Callable[[str], Person]


@pytest.fixture
def canceled(exams: Exams, services: Services) -> int:
    """An exam that took place although it was cancelled: reception is to look."""
    step = exams.ordered()
    services.scheduling.cancel(RECEPTION, step, "parti")
    exams.imaged(step, 1)
    return step


def test_reception_sees_its_line_and_settles_it_with_a_word(log_in: LogIn, canceled: int) -> None:
    reception = log_in("reception1")
    reception.click("À faire")
    assert "Annulé mais réalisé : TDM CRANE" in reception.page
    assert "Rien n'attend" in reception.press("Fait", fait="l'enfant était revenu")
    task = Task.get(Task.step_id == canceled)
    assert task.done_by == "reception1"
    assert "l'enfant était revenu" in Audit.get(Audit.action == "task_done").detail


def test_nothing_is_settled_without_a_word(log_in: LogIn, canceled: int) -> None:
    reception = log_in("reception1")
    reception.see("/a-faire")
    assert "Dites ce qui a été fait." in reception.press("Fait", fait=" ")
    assert Task.get(Task.step_id == canceled).done_at is None


def test_the_line_of_another_role_is_neither_shown_nor_settled(log_in: LogIn, canceled: int) -> None:
    technologist = log_in("manip1")
    page = technologist.see("/a-faire")
    assert "Annulé mais réalisé" not in page
    form = page.form_with("Verrouiller")
    task = Task.get(Task.step_id == canceled)
    assert technologist.client.post(f"/a-faire/{task.id}", data=form.fields | {"fait": "vu"}).status_code == 404
    assert Task.get_by_id(task.id).done_at is None


def test_the_administrator_sees_every_line(log_in: LogIn, canceled: int) -> None:
    assert "Annulé mais réalisé" in log_in("admin").see("/a-faire")


def test_a_doubt_ends_when_a_person_says_whose_the_images_are(log_in: LogIn, exams: Exams, services: Services) -> None:
    step = exams.ordered()
    exams.imaged(step, 1, number="CDG9999999")
    technologist = log_in("manip1")
    page = technologist.see("/a-faire")
    assert "Images à rapprocher" in page
    assert "part avec ce dont elle parle" in page
    task = Task.get(Task.kind == "reconcile")
    form = page.form_with("Verrouiller")
    answer = technologist.client.post(f"/a-faire/{task.id}", data=form.fields | {"fait": "vu"})
    assert "Cette ligne part d'elle-même" in answer.text.replace("&#39;", "'")
    services.reconciliation.attach(TECHNOLOGIST, task.study_id, step, "numéro retapé")
    assert "Rien n'attend" in technologist.see("/a-faire")


def test_a_clinician_has_no_such_page(clinician: Person, canceled: int) -> None:
    assert "À faire" not in clinician.see("/")
    assert clinician.see("/a-faire").status == 403
