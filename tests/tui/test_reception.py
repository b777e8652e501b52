"""A morning at the reception desk, typed on a real pseudo-terminal against a real core."""

from __future__ import annotations

import threading

import pytest

from core.model.step import StepStatus
from core.rpc.server import RpcServer
from tests.people.hospital import PIN, RECEPTION
from tests.tui.conftest import Department, Post
from tests.tui.harness import KEYS, Terminal

FIRST = 4  # first line of the list


def keys(*names: str) -> bytes:
    return b"".join(KEYS.get(name, name.encode()) for name in names)


def test_typing_a_name_filters_and_f6_notes_the_arrival(department: Department, reception: Terminal) -> None:
    reception.press("ouedraogo")
    reception.wait_for("1/1 ")
    assert "OUEDRAOGO Aïcha" in reception.row(FIRST)
    assert reception.row(FIRST + 1) == ""
    reception.press("f6")
    reception.wait_for("identité dite et vérifiée")
    reception.press("enter")
    reception.wait_for("Arrivé : OUEDRAOGO Aïcha")
    assert "ARRIVE" in reception.row(FIRST)
    assert "F6" not in reception.row(23)
    line = department.lines()[0]
    assert line.state.step is StepStatus.ARRIVED
    done = department.services.scheduling.history(RECEPTION, line.step_id)[-1]
    assert (done.actor, done.post) == ("reception1", "poste-1")
    assert done.origin.startswith("rpc uid=")


def test_keys_typed_in_one_burst_do_what_the_same_keys_typed_slowly_do(department: Department, post: Post) -> None:
    terminal = post()
    terminal.write(keys("zongo", "down", "f6", "enter", "f7", "enter", "f10", "kabore", "f6", "enter"))
    terminal.wait_for("Arrivé : KABORE Fatou")
    by_name = {(e.patient_name, e.age(department.services.today())): e for e in department.lines()}
    assert by_name["ZONGO Rasmané", "2j"].state.step is StepStatus.ARRIVED
    assert by_name["ZONGO Rasmané", "14a"].state.step is StepStatus.SCHEDULED
    assert by_name["KABORE Fatou", "9a"].state.step is StepStatus.ARRIVED
    jobs = department.services.printing.jobs(RECEPTION)
    assert [(j.patient, j.paper.word) for j in jobs] == [("ZONGO Rasmané", "Etiquette")]


def test_a_burst_stops_where_a_key_is_refused(department: Department, reception: Terminal) -> None:
    department.services.scheduling.cancel(RECEPTION, department.lines()[4].step_id, "doublon")
    reception.write(keys("zongo", "down", "f4", "f9", "f6", "enter"))
    reception.wait_for("Il manque : Examen")
    reception.press("f10")
    assert [e.state.step for e in department.lines()].count(StepStatus.ARRIVED) == 0


def test_a_verb_that_is_impossible_is_absent_and_says_why(department: Department, reception: Terminal) -> None:
    department.services.scheduling.arrive(RECEPTION, department.lines()[0].step_id)
    reception.wait_until(lambda: "F6" not in reception.row(23), "a footer without F6")
    reception.write(KEYS["f6"])
    sent = reception.wait_for("Arrivée impossible : l'examen est « accueil ».")
    assert b"\x07" in sent


def test_how_late_the_second_building_is_stands_under_the_list(department: Department, reception: Terminal) -> None:
    reception.wait_for("second bâtiment : aucun")
    department.services.ports.replica = lambda: {"role": "primary", "target": "b2", "lag_seq": 41, "lag_s": 190}
    reception.press("f5")
    reception.wait_for("second bâtiment : retard 3 min")


def test_a_name_typed_into_the_menu_changes_nothing(department: Department, reception: Terminal) -> None:
    before = department.lines()
    reception.press("escape")
    reception.wait_for("Menu")
    reception.write(keys("barro ouedraogo", "f10"))
    reception.wait_for("Annulé.")
    assert department.lines() == before


def test_cancelling_asks_a_motive_and_f10_gives_it_up(department: Department, reception: Terminal) -> None:
    reception.press("delete", "enter")
    reception.wait_for("Un motif est demandé")
    reception.press("f10")
    reception.wait_for("Annulé.")
    reception.press("delete", "patient parti", "enter")
    reception.wait_for("ANNULE")
    line = department.lines()[0]
    assert line.state.step is StepStatus.CANCELED
    assert department.services.scheduling.history(RECEPTION, line.step_id)[-1].reason == "patient parti"


def test_a_new_child_is_registered_ordered_and_given_a_slot(department: Department, reception: Terminal) -> None:
    reception.press("f2", "COMPAORE", "tab", "Noe\u0301lie", "tab", "12/05/2022", "tab", "tab", "f", "f9")
    reception.wait_for("YELEN Ordre")
    assert "COMPAORE Noélie 4 ans 6 mois F" in reception.row(0)
    reception.press("rx", "enter")
    reception.wait_for("proposé")
    reception.press("tab", "Dr SOME", "tab", "urg", "tab", "toux")
    reception.write(keys("f9"))
    reception.wait_for("Enregistré : demande 26-000006")
    reception.press("f7")
    reception.wait_for("Convocation dans la file")
    reception.press("escape")
    reception.wait_for("COMPAORE Noélie")
    line = next(e for e in department.lines() if e.family_name == "COMPAORE")
    assert (line.given_names, line.prescriber, line.ward, line.indication) == ("Noélie", "Dr SOME", "URG", "toux")
    assert line.state.step is StepStatus.SCHEDULED


def test_what_is_typed_is_not_abandoned_without_a_question(department: Department, reception: Terminal) -> None:
    reception.press("f2", "COMPAORE", "tab", "Issa")
    reception.press("f10")
    reception.wait_for("Abandonner ce qui est tapé ?")
    reception.press("enter")
    assert "COMPAORE" in reception.text
    reception.press("f10", "o")
    reception.wait_for("page 1/")
    reception.press("f2", "f10")
    reception.wait_for("page 1/")


def test_an_order_is_never_without_appointment_by_accident(department: Department, reception: Terminal) -> None:
    child = department.lines()[0]
    reception.press("f4", child.exam_code, "enter")
    reception.wait_for("proposé")
    reception.press("tab", "Dr SOME", "tab", "urg", "tab", "toux", "tab", "1²a2")
    assert "[12    ] kg" in reception.text, "a weight has digits only"
    reception.press("f4")
    reception.wait_until(lambda: "########" in reception.text, "a slot that is taken")
    taken = next(y for y in range(8, 20) if "########" in reception.row(y))
    at = reception.reversed_rows()[0]
    reception.press(*["down" if taken > at else "up"] * abs(taken - at), "f9")
    reception.wait_for("Ce créneau est pris")
    assert len(department.lines()) == 5


@pytest.mark.parametrize("screen", [("f2", "OUED"), ("f10", "s", "d")], ids=["patient", "room"])
def test_what_is_on_the_screen_survives_a_core_that_stops(
    department: Department, reception: Terminal, screen: tuple[str, ...]
) -> None:
    reception.press(*screen)
    title = reception.row(0)[:14]
    department.server.stop()
    reception.wait_for("Serveur arrêté depuis")
    reception.write(keys("RAOGO", "down", "up", "tab", "²"))  # look-alikes and the row are asked for, in vain
    reception.read_until_quiet()
    again = RpcServer(department.services, department.socket)
    again.start()
    reception.wait_for(title)
    again.stop()


def test_a_look_alike_is_proposed_compared_and_taken(department: Department, reception: Terminal) -> None:
    reception.press("f2", "ouedraogo", "tab", "aicha")
    reception.wait_for("1 PATIENT RESSEMBLANT")
    reception.press("down")
    reception.wait_for("Nom          OUEDRAOGO                  OUEDRAOGO                  =")
    reception.press("enter")
    reception.wait_for("YELEN Ordre  OUEDRAOGO Aïcha")
    assert department.services.status()["patients"] == 5


def test_creating_in_spite_of_a_look_alike_takes_f9_twice_and_a_motive(
    department: Department, reception: Terminal
) -> None:
    reception.press("f2", "ouedraogo", "tab", "Aïcha")
    reception.wait_for("1 PATIENT RESSEMBLANT")
    reception.press("f9")
    reception.wait_for("existe déjà (CDG0000001) : choisissez-le")
    assert reception.row(22) == " la création."
    assert department.services.status()["patients"] == 5
    reception.press("f9")
    reception.wait_for("Motif")
    reception.press("autre enfant", "enter")
    reception.wait_for("YELEN Ordre  OUEDRAOGO Aïcha")
    assert department.services.status()["patients"] == 6


def test_f12_empties_the_screen_and_the_code_returns_to_the_same_place(reception: Terminal) -> None:
    reception.press("down", "down", "kab")
    reception.wait_for("1/1 ")
    reception.press("f12")
    reception.wait_for("Poste verrouillé par Awa KABORE")
    assert "KABORE Fatou" not in reception.text
    reception.press("0000", "enter")
    reception.wait_for("Code incorrect")
    reception.press(PIN, "enter")
    reception.wait_for("KABORE Fatou")
    assert "Filtre> kab" in reception.row(1)


def test_the_code_can_be_typed_before_the_lock_is_drawn(reception: Terminal) -> None:
    reception.write(keys("f12", PIN, "enter", "kab"))
    reception.wait_for("Filtre> kab")


def test_without_the_core_the_screen_stays_readable_and_comes_back(department: Department, reception: Terminal) -> None:
    department.server.stop()
    reception.wait_for("Serveur arrêté depuis")
    assert "données du 08:30" in reception.row(0)
    assert "OUEDRAOGO Aïcha" in reception.row(FIRST)
    reception.press("f6", "enter")
    reception.wait_for("Rien n'est perdu")
    assert department.lines()[0].state.step is StepStatus.SCHEDULED
    department.services.scheduling.arrive(RECEPTION, department.lines()[2].step_id)
    again = RpcServer(department.services, department.socket)
    again.start()
    reception.wait_for("YELEN Accueil")
    reception.wait_for("ARRIVE")
    reception.press("f6", "enter")
    reception.wait_for("Arrivé : OUEDRAOGO Aïcha")
    again.stop()


def test_another_person_gets_the_login_and_nothing_of_the_first(reception: Terminal) -> None:
    reception.press("kab", "f12")
    reception.wait_for("Poste verrouillé")
    reception.press("f10", "manip1", "enter")
    reception.write(b"bonjour-yelen\r")
    reception.wait_for("page 1/")
    assert "Filtre> kab" not in reception.text
    assert "manip1" in reception.row(0)


def test_the_exam_shows_who_did_what_and_escape_returns_to_the_row(department: Department, reception: Terminal) -> None:
    reception.press("down", "enter")
    reception.wait_for("HISTORIQUE")
    assert "SAWADOGO Moussa" in reception.text
    reception.press("escape")
    reception.wait_for("page 1/")
    assert reception.reversed_rows() == [FIRST + 1]


def test_help_is_one_page_made_from_the_keys(reception: Terminal) -> None:
    reception.press("f1")
    reception.wait_for("question d'identité")
    assert "F6" in reception.text
    reception.press("enter")
    reception.wait_for("Filtre>")


def test_an_answer_that_never_comes_is_said_and_the_same_key_is_the_same_act(
    department: Department, reception: Terminal
) -> None:
    gate = threading.Event()
    writer = department.services.kit.index.writer
    writer.submit(lambda _unit: gate.wait(60))
    reception.press("f6", "enter")
    reception.wait_for(" …")
    reception.wait_for("Pas de réponse du serveur")
    gate.set()
    reception.wait_for("ARRIVE")
    reception.press("f6", "f7", "enter")
    reception.wait_for("Étiquette dans la file")
    step = department.lines()[0].step_id
    events = [h.event for h in department.services.scheduling.history(RECEPTION, step)]
    assert events.count("PATIENT_ARRIVED") == 1
