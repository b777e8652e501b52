"""C-FIND on an archive of many studies: latency of one answer and of questions that find much, answers per second.

    python -m tests.bench.find --studies 100000        makes the archive in --work when it is not there, then measures
    python -m tests.bench.find --studies 1000000 --queries 100

The server is a process of its own, as the box is; the client is a bare socket that counts responses.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dicom import conformance, dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.dataset import element
from tests.bench.full_archive import FAMILIES, accession, fill
from tests.dicom.modality import associate_request, request_command

STUDY, PATIENT = conformance.STUDY_ROOT_FIND, conformance.PATIENT_ROOT_FIND
_STATUS = struct.pack("<HHI", 0, dimse.STATUS, 2)


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of query. keys: (tag, VR, text) drawn anew each time; share: how many of --queries are asked."""

    label: str
    level: str
    keys: Callable[[random.Random], list[tuple[int, str, str]]]
    share: float = 1.0
    model: str = STUDY


def questions(studies: int) -> list[Question]:
    def pick(choose: random.Random) -> int:
        return choose.randrange(1, studies + 1)

    def day(choose: random.Random, days: int = 1) -> str:
        month = f"2025{choose.randrange(1, 13):02}"
        return f"{month}05" if days == 1 else f"{month}05-{month}{4 + days:02}"

    return [
        Question("study UID", "STUDY", lambda c: [(0x0020000D, "UI", f"1.2.826.0.1.{pick(c)}")]),
        Question("accession number", "STUDY", lambda c: [(0x00080050, "SH", accession(pick(c), studies))]),
        Question("accession number with a wildcard", "STUDY", lambda c: [(0x00080050, "SH", f"2?-{pick(c):07}")], 0.05),
        Question(
            "a thousand patient numbers", "STUDY", lambda c: [(0x00100020, "LO", f"CDG{pick(c) // 3000:04}*")], 0.05
        ),
        Question("patient number", "STUDY", lambda c: [(0x00100020, "LO", f"CDG{1 + pick(c) // 3:07}")]),
        Question(
            "patient number, patient root",
            "PATIENT",
            lambda c: [(0x00100020, "LO", f"CDG{1 + pick(c) // 3:07}")],
            1,
            PATIENT,
        ),
        Question("series of a study", "SERIES", lambda c: [(0x0020000D, "UI", f"1.2.826.0.1.{pick(c)}")]),
        Question("images of a study", "IMAGE", lambda c: [(0x0020000D, "UI", f"1.2.826.0.1.{pick(c)}")]),
        Question("image UID alone", "IMAGE", lambda c: [(0x00080018, "UI", f"1.2.826.0.1.{pick(c)}.1.1")]),
        Question("one day", "STUDY", lambda c: [(0x00080020, "DA", day(c))], 0.3),
        Question("3 days + CT", "STUDY", lambda c: [(0x00080020, "DA", day(c, 3)), (0x00080061, "CS", "CT")], 0.3),
        Question(
            "name prefix + a week",
            "STUDY",
            lambda c: [(0x00100010, "PN", f"{c.choice(FAMILIES)[:4]}*"), (0x00080020, "DA", day(c, 7))],
            0.3,
        ),
        Question("family and given name", "STUDY", lambda c: [(0x00100010, "PN", f"{c.choice(FAMILIES)}^AWA*")], 0.2),
        Question("OUED* (all of them)", "STUDY", lambda c: [(0x00100010, "PN", "OUED*")], 0.05),
        Question("*ISSA*", "STUDY", lambda c: [(0x00100010, "PN", "*ISSA*")], 0.05),
        Question("all keys empty", "STUDY", lambda c: [], 0.05),
        Question(
            "all keys *, 64 of them in the name",
            "STUDY",
            lambda c: [(0x00100010, "PN", "*" * 64), (0x00080020, "DA", "*"), (0x00100020, "LO", "*")],
            0.05,
        ),
        Question("all patients", "PATIENT", lambda c: [], 0.05, PATIENT),
        Question("modality MR, newest", "STUDY", lambda c: [(0x00080061, "CS", "MR")], 0.05),
        Question("a physician nobody knows", "STUDY", lambda c: [(0x00080090, "PN", "NOBODY*")], 0.01),
        Question("a description nobody wrote", "STUDY", lambda c: [(0x00081030, "LO", "*[x]*a*a*a*a*b")], 0.01),
    ]


RETURNED = {
    "PATIENT": [(0x00100010, "PN"), (0x00100020, "LO"), (0x00100030, "DA"), (0x00201200, "IS")],
    "STUDY": [
        (0x00080020, "DA"),
        (0x00080050, "SH"),
        (0x00080061, "CS"),
        (0x00081030, "LO"),
        (0x00100010, "PN"),
        (0x00100020, "LO"),
        (0x0020000D, "UI"),
    ],
    "SERIES": [(0x00080060, "CS"), (0x0008103E, "LO"), (0x0020000E, "UI"), (0x00200011, "IS")],
    "IMAGE": [(0x00080016, "UI"), (0x00080018, "UI"), (0x00200013, "IS")],
}


class Client:
    """One association that asks and counts."""

    def __init__(self, address: tuple[str, int]) -> None:
        import socket

        self.socket = socket.create_connection(address, 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        contexts = [(1, STUDY, [EXPLICIT_LE]), (3, PATIENT, [EXPLICIT_LE])]
        self.socket.sendall(associate_request(contexts, calling=b"BENCH", max_pdu=131_072))
        head = self.socket.recv(6, socket.MSG_WAITALL)
        kind, size = upper_layer.HEADER.unpack(head)
        assert kind == upper_layer.ASSOCIATE_AC, kind
        self.socket.recv(size, socket.MSG_WAITALL)

    def find(self, question: Question, keys: list[tuple[int, str, str]]) -> tuple[int, int, float]:
        """How many answers, the final status, seconds to the last byte."""
        wanted = {tag: (vr, "") for tag, vr in RETURNED[question.level]} | {t: (vr, text) for t, vr, text in keys}
        wanted |= {0x00080005: ("CS", "ISO_IR 192"), 0x00080052: ("CS", question.level)}
        identifier = b"".join(
            element(tag, vr, text.encode(), EXPLICIT_LE) for tag, (vr, text) in sorted(wanted.items())
        )
        context = 1 if question.model == STUDY else 3
        message = upper_layer.message(context, request_command(dimse.C_FIND_RQ, question.model), identifier, 131_072)
        start = time.perf_counter()
        self.socket.sendall(message)
        return (*self._count(), time.perf_counter() - start)

    def _count(self) -> tuple[int, int]:
        given, data = 0, b""
        while True:
            data += self.socket.recv(1 << 20)
            at = 0
            while len(data) - at >= 6:
                size = upper_layer.HEADER.unpack_from(data, at)[1]
                if len(data) - at < 6 + size:
                    break
                place = data.find(_STATUS, at, at + 6 + size)
                at += 6 + size
                if place >= 0:
                    status = data[place + 8] | data[place + 9] << 8
                    if status & 0xFF00 != 0xFF00:
                        return given, status
                    given += 1
            data = data[at:]


def measure(address: tuple[str, int], studies: int, queries: int, rounds: int) -> list[dict[str, Any]]:
    client, figures = Client(address), []
    for question in questions(studies):
        choose, times, answers, status = random.Random(question.label), [], 0, 0
        client.find(question, question.keys(choose))
        for _ in range(max(3, round(queries * question.share)) * rounds):
            given, status, seconds = client.find(question, question.keys(choose))
            times.append(seconds * 1e3)
            answers += given
        times.sort()
        figures.append(
            {
                "question": question.label,
                "level": question.level,
                "answers": round(answers / len(times), 1),
                "status": f"{status:04X}",
                "median_ms": round(statistics.median(times), 2),
                "p95_ms": round(times[min(len(times) - 1, int(len(times) * 0.95))], 2),
                "answers_per_s": round(answers / sum(times) * 1e3),
            }
        )
    return figures


def serve(data: Path) -> None:
    """The department of `data` and its door, until standard input closes."""
    from tests.dicom.department import department_of

    department = department_of(data)
    door = department.door(tick=0.5)
    door.start()
    print(json.dumps(door.address), flush=True)
    sys.stdin.read()
    door.stop(1.0)
    department.index.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200, help="of the kinds that find one study, in each round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("bench-work"), help="archives stay here for the next run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    data = chosen.work / f"find-{chosen.studies}"
    if not (data / "filled").exists():
        start = time.perf_counter()
        fill(data, chosen.studies)
        (data / "filled").touch()
        print(f"filled in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    command = [sys.executable, "-m", "tests.bench.find", "--serve", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        host, port = json.loads(server.stdout.readline())
        figures = measure((host, port), chosen.studies, chosen.queries, chosen.rounds)
        server.communicate()
    if chosen.json:
        print(json.dumps({"studies": chosen.studies, "figures": figures}, indent=1))
        return
    print(
        f"find: {chosen.studies:,} studies\n"
        f"{'':38}{'answers':>9}{'status':>8}{'median ms':>11}{'p95 ms':>9}{'answers/s':>11}"
    )
    for f in figures:
        print(
            f"{f['question']:38}{f['answers']:9}{f['status']:>8}{f['median_ms']:11}{f['p95_ms']:9}{f['answers_per_s']:11,}"
        )


if __name__ == "__main__":
    main()
