"""The socket in front of the real services: accounts, rights, the table of verbs, many terminals at once."""

from __future__ import annotations

import inspect
import queue
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import BadInput, NotAllowed
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.people import Role, User
from core.model.query import DayFilter
from core.rpc import contract as c
from core.rpc.client import Client
from core.rpc.conversation import Conversation
from core.rpc.server import RpcServer
from core.rpc.verbs import VERBS
from core.services import Services
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
