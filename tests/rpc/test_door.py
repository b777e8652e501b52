"""The real socket with real threads: who may say what, what a refusal looks like, and what a bad client costs."""

from __future__ import annotations

import json
import os
import queue
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, BadMessage, Conflict, IllegalTransition, NotAllowed, PeerError, Unreachable
from core.model.people import Role
from core.rpc import address
from core.rpc import contract as c
from core.rpc.client import Client, Link
from core.rpc.server import RpcServer
from tests.people.descriptors import no_descriptor_left
from tests.rpc.small_house import VERBS, House, Refuse, Say, Wait, as_services

PATIENCE = 20.0  # seconds, against hanging only


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "yelen.sock"


@pytest.fixture
def door(house: House, path: Path) -> Iterator[RpcServer]:
    server = RpcServer(as_services(house), path, verbs=VERBS)
    server.start()
    yield server
    house.gate.set()
    server.stop()


class Terminal:
    """A client with its pushes and the changes of its link in queues."""

    def __init__(self, path: Path) -> None:
        self.changes: queue.Queue[tuple[c.Change, ...] | None] = queue.Queue()
        self.links: queue.Queue[Link] = queue.Queue()
        self.client = Client(path, "reception1", on_changes=self.changes.put, on_link=self.links.put).start()

    def link(self, up: bool) -> Link:
        while (link := self.links.get(timeout=PATIENCE)).up is not up:
            pass
        return link


@pytest.fixture
def terminal(door: RpcServer, path: Path) -> Iterator[Terminal]:
    made = Terminal(path)
    made.link(up=True)
    yield made
    made.client.close()


class Raw:
    """A client that writes lines by hand."""

    def __init__(self, path: Path) -> None:
        self.connection = address.connect(path, PATIENCE)
        self._file = self.connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> dict[str, Any] | None:
        read = self._file.readline()
        return json.loads(read) if read else None

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        self.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        answer = self.line()
        assert answer is not None
        return answer

    def close(self) -> None:
        self._file.close()
        self.connection.close()


@pytest.fixture
def raw(door: RpcServer, path: Path) -> Iterator[Raw]:
    made = Raw(path)
    yield made
    made.close()


def test_the_actor_of_a_verb_is_the_person_and_the_uid_of_the_connection(terminal: Terminal, house: House) -> None:
    person = terminal.client.login("awa", "cle")
    assert person.full_name == "awa complet"
    assert person.roles == {Role.RECEPTION}
    assert terminal.client.ask(Say("bonjour")) == "BONJOUR"
    actor, _word = house.acts[0]
    assert (actor.name, actor.post, actor.origin) == ("awa", "reception1", f"rpc uid={os.getuid()}")


def test_hello_tells_the_hospital(terminal: Terminal) -> None:
    welcome = terminal.client.link.welcome
    assert welcome is not None
    assert welcome.hospital == "CHU pédiatrique Charles-de-Gaulle"
    assert welcome.timezone == "Africa/Ouagadougou"
    assert f"{welcome.now:%d/%m/%Y %H:%M}" == "12/01/2027 08:42"


def test_nothing_is_answered_before_login(terminal: Terminal, house: House) -> None:
    with pytest.raises(NotAllowed, match="Personne"):
        terminal.client.ask(Say("bonjour"))
    with pytest.raises(NotAllowed, match="inconnu"):
        terminal.client.login("awa", "faux")
    assert house.acts == []


def test_a_locked_post_answers_only_to_its_code(terminal: Terminal, house: House) -> None:
    terminal.client.login("awa", "cle")
    terminal.client.lock().result(PATIENCE)
    with pytest.raises(NotAllowed, match="verrouillé"):
        terminal.client.ask(Say("bonjour"))
    with pytest.raises(NotAllowed, match="Code"):
        terminal.client.ask(c.Unlock("0000"))
    assert terminal.client.entered(terminal.client.ask(c.Unlock("1234"))).name == "awa"
    assert terminal.client.ask(Say("bonjour")) == "BONJOUR"


def test_logout_ends_the_session_for_good(terminal: Terminal, house: House) -> None:
    token = terminal.client.login("awa", "cle").token
    terminal.client.ask(c.Logout())
    with pytest.raises(NotAllowed, match="expirée"):
        terminal.client.ask(c.Resume(token))


def test_a_refusal_arrives_as_the_error_it_was(terminal: Terminal) -> None:
    terminal.client.login("awa", "cle")
    with pytest.raises(BadInput) as typed:
        terminal.client.ask(Refuse("input"))
    assert typed.value.field == "family_name"
    with pytest.raises(IllegalTransition, match="« fait »"):
        terminal.client.ask(Refuse("transition"))


def test_a_fault_of_ours_gives_a_reference_and_no_traceback(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    terminal.client.login("awa", "cle")
    with pytest.raises(PeerError) as fault:
        terminal.client.ask(Refuse("crash"))
    assert "référence" in str(fault.value)
    assert "secret" not in str(fault.value)
    assert "secret" in caplog.text
    assert terminal.client.ask(Say("encore")) == "ENCORE"


def test_another_major_version_is_told_so_and_the_client_stops_trying(raw: Raw) -> None:
    answer = raw.ask("hello", protocol="2.0")
    assert "mis à jour" in answer["error"]["message"]
    assert raw.ask("login", name="awa", password="cle")["error"]["data"]["kind"] == "NotAllowed"


def test_only_watched_topics_are_pushed(terminal: Terminal, house: House) -> None:
    terminal.client.login("awa", "cle")
    terminal.client.watch(["day:2027-01-12"]).result(PATIENCE)
    house.events.tell(("day:2027-01-13", "5"), ("day:2027-01-12", "7"))
    assert terminal.changes.get(timeout=PATIENCE) == (c.Change(2, "day:2027-01-12", "7"),)


def test_after_a_restart_the_session_and_the_missed_changes_come_back(
    house: House, path: Path, door: RpcServer, terminal: Terminal
) -> None:
    terminal.client.login("awa", "cle")
    terminal.client.watch(["print"]).result(PATIENCE)
    house.events.tell(("print", "1"))
    assert terminal.changes.get(timeout=PATIENCE) == (c.Change(1, "print", "1"),)
    door.stop()
    terminal.link(up=False)
    with pytest.raises(Unreachable, match="arrêté"):
        terminal.client.ask(Say("perdu"))
    house.events.tell(("print", "2"), ("other", "9"), ("print", "3"))
    again = RpcServer(as_services(house), path, verbs=VERBS)
    again.start()
    link = terminal.link(up=True)
    assert link.person is not None
    assert link.person.name == "awa"
    missed = terminal.changes.get(timeout=PATIENCE)
    assert missed == (c.Change(2, "print", "2"), c.Change(4, "print", "3"))
    assert terminal.client.ask(Say("revenue")) == "REVENUE"
    terminal.client.close()
    again.stop()


def test_a_locked_terminal_is_still_locked_after_a_restart(
    house: House, path: Path, door: RpcServer, terminal: Terminal
) -> None:
    terminal.client.login("awa", "cle")
    terminal.client.lock().result(PATIENCE)
    door.stop()
    terminal.link(up=False)
    again = RpcServer(as_services(house), path, verbs=VERBS)
    again.start()
    terminal.link(up=True)
    with pytest.raises(NotAllowed, match="verrouillé"):
        terminal.client.ask(Say("bonjour"))
    terminal.client.close()
    again.stop()


def test_a_session_that_ended_meanwhile_is_told(house: House, path: Path, door: RpcServer, terminal: Terminal) -> None:
    terminal.client.login("awa", "cle")
    door.stop()
    terminal.link(up=False)
    house.people.sessions.clear()
    again = RpcServer(as_services(house), path, verbs=VERBS)
    again.start()
    assert terminal.link(up=True).session_lost
    terminal.client.close()
    again.stop()


def test_a_call_without_answer_gives_up_and_a_lost_line_says_so(
    terminal: Terminal, house: House, door: RpcServer
) -> None:
    terminal.client.login("awa", "cle")
    with pytest.raises(Unreachable, match="Pas de réponse"):
        terminal.client.ask(Wait(), timeout=0.05)
    pending = terminal.client.submit(Wait())
    for connected in door.clients():
        connected.hang_up()
    with pytest.raises(Unreachable, match="coupée"):
        pending.result(PATIENCE)
    house.gate.set()


def test_a_client_that_does_not_read_loses_pushes_and_is_told_to_reload(raw: Raw, house: House) -> None:
    raw.ask("hello")
    raw.ask("login", name="awa", password="cle")
    raw.ask("watch", topics=["print"])
    for i in range(20_000):
        house.events.tell(("print", f"{i:0200d}"))
    seen = [raw.line()]
    while seen[-1] is not None and seen[-1]["method"] == "event":
        seen.append(raw.line())
    assert seen[-1] is not None
    assert seen[-1]["method"] == "reload"
    assert len(seen) < 20_000
    house.events.tell(("print", "apres"))
    while (after := raw.line()) is not None and after["params"].get("key") != "apres":
        if after["method"] == "reload":  # the push fell into a second overflow, and that was said
            house.events.tell(("print", "apres"))
    assert after is not None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n", -32700),
        (b'{"jsonrpc":"2.0","id":1}\n', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"nonsense":1}}\n', -32602),
    ],
)
def test_rubbish_is_answered_and_the_next_good_line_is_served(raw: Raw, sent: bytes, code: int) -> None:
    raw.send(sent)
    answer = raw.line()
    assert answer is not None
    assert answer["error"]["code"] == code
    assert raw.ask("hello")["result"]["protocol"] == c.PROTOCOL
    assert raw.ask("shell.exec", command="ls")["error"]["code"] == -32601


def test_a_line_without_end_is_refused_and_closed(raw: Raw, terminal: Terminal) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        for _i in range(64):
            raw.send(b"x" * 65_536)
    refusal = raw.line()
    assert refusal is not None
    assert "trop longue" in refusal["error"]["message"]
    terminal.client.login("awa", "cle")
    assert terminal.client.ask(Say("bonjour")) == "BONJOUR"


def test_beyond_the_last_place_a_terminal_is_told_why(house: House, tmp_path: Path) -> None:
    server = RpcServer(as_services(house), tmp_path / "s", verbs=VERBS, max_clients=1)
    server.start()
    first, second = Raw(tmp_path / "s"), None
    try:
        assert first.ask("hello")["result"]
        second = Raw(tmp_path / "s")
        answer = second.line()
        assert answer is not None
        assert "Trop de terminaux" in answer["error"]["message"]
    finally:
        first.close()
        if second:
            second.close()
        server.stop()


def test_the_socket_is_for_owner_and_group_and_leaves_with_its_server(house: House, path: Path) -> None:
    server = RpcServer(as_services(house), path, verbs=VERBS)
    server.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(Conflict, match="écoute déjà"):
        RpcServer(as_services(house), path, verbs=VERBS).start()
    server.stop()
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_any_other_file_is_left_alone(house: House, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = RpcServer(as_services(house), path, verbs=VERBS)
    server.start()
    server.stop()
    path.write_text("précieux")
    with pytest.raises(Conflict, match="rien n'est effacé"):
        RpcServer(as_services(house), path, verbs=VERBS).start()
    assert path.read_text() == "précieux"


def test_a_very_long_path_works(house: House, tmp_path: Path) -> None:
    path = tmp_path / ("dossier" * 20) / ("x" * 30) / "yelen.sock"
    path.parent.mkdir(parents=True)
    server = RpcServer(as_services(house), path, verbs=VERBS)
    server.start()
    terminal = Terminal(path)
    assert terminal.link(up=True).welcome is not None
    terminal.client.close()
    server.stop()
    assert not path.exists()


def test_without_a_server_the_client_says_so_and_finds_it_when_it_starts(house: House, path: Path) -> None:
    terminal = Terminal(path)
    with pytest.raises(Unreachable, match="arrêté"):
        terminal.client.ask(Say("bonjour"))
    server = RpcServer(as_services(house), path, verbs=VERBS)
    server.start()
    terminal.link(up=True)
    terminal.client.close()
    server.stop()


def test_a_reply_that_is_no_message_is_a_broken_peer() -> None:
    from core.rpc.client import _decoded
    from core.rpc.wire import EMPTY

    with pytest.raises(BadMessage):
        _decoded(EMPTY, int)


def test_the_client_needs_neither_server_nor_services() -> None:
    import subprocess
    import sys

    code = (
        "import sys, core.rpc.client as _; "
        "bad = {m for m in sys.modules if m.startswith(('core.services', 'core.index', 'peewee', 'core.rpc.server',"
        " 'core.rpc.conversation', 'core.rpc.verbs', 'flask', 'textual', 'pydicom'))}; sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


def test_the_terminal_too_many_is_told_so_and_comes_in_when_a_place_is_free(house: House, tmp_path: Path) -> None:
    server = RpcServer(as_services(house), tmp_path / "s", verbs=VERBS, max_clients=1)
    server.start()
    first = Terminal(tmp_path / "s")
    first.link(up=True)
    second = Terminal(tmp_path / "s")
    try:
        assert "Trop de terminaux" in second.link(up=False).why
        with pytest.raises(Unreachable, match="Trop de terminaux"):
            second.client.ask(Say("bonjour"))
        first.client.close()
        assert second.link(up=True).why == ""
    finally:
        first.client.close()
        second.client.close()
        server.stop()


def greeted(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE)
    connection.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello"}\n')
    return b'"hospital"' in connection.recv(65_536)


def test_a_house_without_a_descriptor_left_says_so_and_lets_the_caller_in_later(
    door: RpcServer, house: House, path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        with no_descriptor_left():
            caller.connect(str(path))
            assert house.devices.told.get(timeout=PATIENCE) == "rpc door-fault: EMFILE"
        assert greeted(caller)


def test_a_caller_that_cannot_be_admitted_does_not_close_the_door(
    door: RpcServer, house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_connection: socket.socket) -> int:
        monkeypatch.undo()
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(address, "peer_uid", fault)
    with socket.socket(socket.AF_UNIX) as unlucky, socket.socket(socket.AF_UNIX) as next_one:
        unlucky.settimeout(PATIENCE)
        unlucky.connect(str(path))
        assert unlucky.recv(1) == b""
        next_one.connect(str(path))
        assert greeted(next_one)
    assert house.devices.told.get(timeout=PATIENCE) == "rpc door-fault: RuntimeError"
