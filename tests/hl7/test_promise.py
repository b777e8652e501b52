"""An acknowledgement is a promise: whatever dies when, what was answered AA is there, once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.index.tables import Inbox
from tests.hl7.hospital import ADMIN, Hospital, open_hospital
from tests.hl7.ward import Caller, Ward, adt, msa


@contextmanager
def serving(data: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hl7.hospital", str(data)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def child(number: int) -> str:
    return adt("A04", f"N{number}", f"PID|||IP{number:04d}^^^CDG||ENFANT^Numero {number}")


def send_until_killed(data: Path, first: int, seed: int) -> list[int]:
    """Sends one message after another; the server dies in the middle. Returns the numbers that were answered AA."""
    answered: list[int] = []
    with serving(data) as (process, port):
        caller = Caller(port)
        # Killed while a message is on its way or being applied: the kill races with the fifth to twentieth answer.
        last = first + random.Random(seed).randint(5, 20)
        for number in range(first, last + 50):
            caller.say(child(number))
            if number >= last:
                threading.Thread(target=process.kill).start()
            answer = caller.answer()
            if msa(answer) != ["AA", f"N{number}"]:
                break
            answered.append(number)
        process.kill()
        caller.hang_up()
    return answered


def killed_again_and_again(data: Path, times: int) -> None:
    with open_hospital(data):
        pass  # the registry is made
    answered: list[int] = []
    for turn in range(times):
        answered += send_until_killed(data, 1000 * (turn + 1), seed=turn)
    hospital = Hospital(data)
    try:
        kept = [row.control_id for row in Inbox.select() if row.state == "applied"]
        assert len(set(kept)) == len(kept)
        assert {f"N{n}" for n in answered} <= set(kept)
        caller = hospital.call()
        for number in answered[-5:]:
            assert msa(caller.ask(child(number))) == ["AA", f"N{number}"]
        caller.hang_up()
        assert Inbox.select().count() == len(kept)
        for number in answered[-5:]:
            assert len(hospital.services.patients.search(ADMIN, f"IP{number:04d}")) == 1
    finally:
        hospital.close()


def test_what_was_acknowledged_survives_kill_9_and_is_applied_once(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 3)


@pytest.mark.full
def test_what_was_acknowledged_survives_two_hundred_kills(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 200)


def resident(line: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith(line):
            return int(row.split()[1]) * 1024
    raise AssertionError(line)


def test_a_report_over_its_cap_is_refused_without_filling_the_memory(ward: Ward, his: Caller) -> None:
    header = b"\x0bMSH|^~\\&|SIH|CDG|YELEN|RADIO|20260727||ORU^R01|5|P|2.5\rOBX|1|ED|||^application^pdf^Base64^"
    chunk = b"A" * 65536
    his.ask(adt())
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts again from here
    before = resident("VmRSS")
    his.send(header)
    for _ in range(40 * 16):  # 40 MiB
        his.send(chunk)
    assert msa(his.answer()) == ["AR", "5"]
    assert resident("VmHWM") - before <= 64 * 1024 * 1024
