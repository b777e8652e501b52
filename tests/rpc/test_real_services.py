"""The socket in front of the real services: accounts, rights, the table of verbs, many terminals at once."""

from __future__ import annotations

import inspect
import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, NotAllowed
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.people import Role, User
from core.model.query import DayFilter
from core.rpc import contract as c
from core.rpc.client import Client, Link
from core.rpc.conversation import Conversation
from core.rpc.server import RpcServer
from core.rpc.verbs import VERBS
from core.services import Services, people
from tests.people.hospital import ADMIN, MORNING, PASSWORD, PIN, USERS, hospital

PATIENCE = 20.0  # seconds, against hanging only


@dataclass
class Desk:
    services: Services
    path: Path
    opened: ExitStack

    def terminal(self, **how: object) -> Client:
        client = Client(self.path, "poste-1", **how)  # type: ignore[arg-type]
        client.start()
        self.opened.callback(client.close)
        assert client.wait_until_up(PATIENCE)
        return client


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with hospital(tmp_path) as services, ExitStack() as opened:
        services.people.add_user(ADMIN, USERS[0], PASSWORD, PIN)
        server = RpcServer(services, tmp_path / "yelen.sock")
        server.start()
        opened.callback(server.stop)
        yield Desk(services, tmp_path / "yelen.sock", opened)


def test_every_call_of_the_contract_is_answered_and_no_method_has_two_calls() -> None:
    calls = [k for _n, k in inspect.getmembers(c, inspect.isclass) if issubclass(k, c.Call) and k is not c.Call]
    own = {c.Hello, c.Login, c.LoginAsOwner, c.Resume, c.Lock, c.Unlock, c.Logout, c.Watch}
    assert set(calls) == own | set(VERBS)
    assert len({call.method for call in calls}) == len(calls)
    assert all(call.method and c.gives(call) is not None for call in calls)


def test_an_order_placed_on_the_socket_is_on_the_day_list_and_names_its_author(desk: Desk) -> None:
    terminal = desk.terminal()
    terminal.login("reception1", PASSWORD)
    patient = terminal.ask(c.Register(Demographics("OUEDRAOGO", "Aïcha"), idempotency_key="k1"))
    assert terminal.ask(c.Register(Demographics("OUEDRAOGO", "Aïcha"), idempotency_key="k1")).id == patient.id
    draft = OrderDraft(patient.id, "RX-THORAX", "Dr SOME", "toux", room="RX1", scheduled_at=MORNING)
    line = terminal.ask(c.PlaceOrder(draft))
    page = terminal.ask(c.GetDayPage(DayFilter(desk.services.today()), 0, 14))
    assert page.lines == (line,)
    terminal.ask(c.Arrive(line.step_id, True, "k2"))
    history = terminal.ask(c.GetHistory(line.step_id))
    assert [(e.actor, e.post) for e in history] == [("reception1", "poste-1")] * 3


def test_a_wrong_password_a_missing_prescriber_and_a_foreign_act_are_sentences(desk: Desk) -> None:
    terminal = desk.terminal()
    with pytest.raises(NotAllowed, match="incorrect"):
        terminal.login("reception1", "faux")
    terminal.login("reception1", PASSWORD)
    with pytest.raises(BadInput) as typed:
        terminal.ask(c.PlaceOrder(OrderDraft(1, "RX-THORAX", "", "toux")))
    assert typed.value.field == "prescriber"
    with pytest.raises(NotAllowed, match="administrateur"):
        terminal.ask(c.AddUser(User("intrus", "X", frozenset({Role.ADMINISTRATOR})), "motdepasse"))
    assert [u.login for u in desk.services.people.users(ADMIN)] == ["reception1"]
    refused = [r for r in desk.services.audit.rows(ADMIN) if r.outcome == "refused" and r.action != "login"]
    assert [(r.actor, r.action) for r in refused] == [("reception1", "people.add_user")]


def test_the_owner_of_the_data_may_administer_without_a_password(desk: Desk) -> None:
    terminal = desk.terminal()
    assert terminal.ask(c.LoginAsOwner()).roles == {Role.ADMINISTRATOR}
    assert [u.login for u in terminal.ask(c.Users())] == ["reception1"]
    stranger = Conversation(desk.services, VERBS, uid=4242)
    stranger.handle(b'{"jsonrpc":"2.0","id":1,"method":"hello"}')
    answer = stranger.handle(b'{"jsonrpc":"2.0","id":2,"method":"login_as_owner"}')
    assert answer is not None
    assert "administrateur de la machine" in answer.decode()


def test_a_token_of_another_door_or_account_opens_nothing(desk: Desk) -> None:
    actor = desk.services.people.login("reception1", PASSWORD, "kiosk 10.0.0.7")
    cookie = desk.services.people.open_session(actor, "kiosk 10.0.0.7")
    terminal = desk.terminal()
    with pytest.raises(NotAllowed, match="expirée"):
        terminal.ask(c.Resume(cookie))


def test_twenty_terminals_hear_of_one_arrival(desk: Desk) -> None:
    heard: queue.Queue[int] = queue.Queue()
    patient = desk.services.patients.register(ADMIN, Demographics("ZONGO"), reason="test")
    reception = desk.terminal()
    reception.login("reception1", PASSWORD)
    draft = OrderDraft(patient.id, "RX-THORAX", "Dr SOME", "toux", room="RX1", scheduled_at=MORNING)
    line = reception.ask(c.PlaceOrder(draft))
    for number in range(20):
        terminal = desk.terminal(on_changes=lambda _changes, number=number: heard.put(number))
        terminal.ask(c.LoginAsOwner())
        terminal.watch([f"step:{line.step_id}"]).result(PATIENCE)
    reception.ask(c.Arrive(line.step_id))
    assert sorted(heard.get(timeout=PATIENCE) for _terminal in range(20)) == list(range(20))


def closed(services: Services) -> None:
    services.people.remove_user(ADMIN, "reception1")


def given_another_password(services: Services) -> None:
    services.people.set_secret(ADMIN, "reception1", "harmattan-2027")


def thirteen_hours_old(services: Services) -> None:
    services.clock.advance(13 * 3600)  # type: ignore[attr-defined]


def said(conversation: Conversation, method: str, **params: object) -> dict[str, Any]:
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    answer = conversation.handle(line)
    assert answer is not None
    return json.loads(answer)  # type: ignore[no-any-return]


@pytest.mark.parametrize("end", [closed, given_another_password, thirteen_hours_old])
def test_a_session_that_ended_elsewhere_is_asked_for_at_every_line(desk: Desk, end: Callable[[Services], None]) -> None:
    terminal = Conversation(desk.services, VERBS, uid=4242)
    said(terminal, "hello")
    said(terminal, "login", name="reception1", password=PASSWORD)
    assert "result" in said(terminal, "patients.search", text="OUEDRAOGO")
    end(desk.services)
    assert "expirée" in said(terminal, "patients.search", text="OUEDRAOGO")["error"]["message"]
    assert terminal.ended
    assert "Personne" in said(terminal, "patients.search", text="OUEDRAOGO")["error"]["message"]


def test_a_terminal_whose_session_grew_too_old_is_told_at_its_next_line(desk: Desk) -> None:
    links: queue.Queue[Link] = queue.Queue()
    terminal = desk.terminal(on_link=links.put)
    terminal.login("reception1", PASSWORD)
    thirteen_hours_old(desk.services)
    with pytest.raises(NotAllowed, match="expirée"):
        terminal.ask(c.SearchPatients("OUEDRAOGO"))
    assert lost(links).person is None


@pytest.mark.parametrize("end", [closed, given_another_password])
def test_a_terminal_learns_at_once_that_its_account_was_closed(desk: Desk, end: Callable[[Services], None]) -> None:
    links: queue.Queue[Link] = queue.Queue()
    terminal, other = desk.terminal(on_link=links.put), desk.terminal()
    terminal.login("reception1", PASSWORD)
    other.ask(c.LoginAsOwner())
    end(desk.services)
    assert lost(links).person is None
    with pytest.raises(NotAllowed, match="Personne"):
        terminal.ask(c.SearchPatients("OUEDRAOGO"))
    assert [u.login for u in other.ask(c.Users())] == ["reception1"]


def lost(links: queue.Queue[Link]) -> Link:
    """The link once the session is known to be no more."""
    while not (link := links.get(timeout=PATIENCE)).session_lost:
        pass
    return link


def test_a_locked_terminal_of_a_closed_account_is_not_unlocked(desk: Desk) -> None:
    terminal = Conversation(desk.services, VERBS, uid=4242)
    said(terminal, "hello")
    said(terminal, "login", name="reception1", password=PASSWORD)
    said(terminal, "lock")
    closed(desk.services)
    assert "expirée" in said(terminal, "unlock", secret=PIN)["error"]["message"]


def test_a_terminal_that_rested_all_morning_unlocks_with_its_code(desk: Desk) -> None:
    terminal = desk.terminal()
    terminal.login("reception1", PASSWORD)
    terminal.lock().result(PATIENCE)
    desk.services.clock.advance(4 * 3600)  # type: ignore[attr-defined]
    assert terminal.ask(c.Unlock(PIN)).name == "reception1"
    terminal.ask(c.SearchPatients("OUEDRAOGO"))


def test_wrong_codes_tried_together_count_like_wrong_codes_in_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every terminal has read that no code was wrong yet; the right one is judged after the eleven wrong ones."""
    at_once, wrong_done = threading.Barrier(12), threading.Event()
    has_begun: dict[int, bool] = {}
    verify = people._verify

    def held(hashed: str, secret: str) -> bool:
        if not has_begun.setdefault(threading.get_ident(), False):
            has_begun[threading.get_ident()] = True
            at_once.wait(PATIENCE)
            if secret == PIN:
                wrong_done.wait(PATIENCE)
        return verify(hashed, secret)

    terminals = [desk.terminal() for _ in range(12)]
    for terminal in terminals:
        terminal.login("reception1", PASSWORD)
        terminal.lock().result(PATIENCE)
    monkeypatch.setattr(people, "_verify", held)
    tries = [terminal.submit(c.Unlock(f"{code:04}")) for code, terminal in enumerate(terminals[1:])]
    right = terminals[0].submit(c.Unlock(PIN))
    assert all(isinstance(wrong.exception(PATIENCE), NotAllowed) for wrong in tries)
    wrong_done.set()
    assert "mot de passe complet" in str(right.exception(PATIENCE))
    monkeypatch.undo()
    assert terminals[0].ask(c.Unlock(PASSWORD)).name == "reception1"
    assert terminals[1].ask(c.Unlock(PIN)).name == "reception1"
