"""Our own box for the benches: fresh, on free ports, and it knows the load generator and its sink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.model.device import Device, HisSender
from core.model.order import Exam, Room
from core.rpc.contract import SaveDevice
from install.calls import SaveExam, SaveRoom, SaveSender
from install.place import Place
from install.reach import reach
from tests.install.boxes import Box, init

HERE = ("127.0.0.1",)
SINK_PORT = 11248
MODALITIES = ("CT", "DX", "US", "MR")  # of the kit's worklists: station CT01, exam EXCT


@contextmanager
def box(data: Path) -> Iterator[Box]:
    made = init(data, "scheduling.worklist_window_days=10")
    assert made.returncode == 0, made.stderr
    opened = Box(data)
    try:
        _furnish(data)
        yield opened
    finally:
        opened.stop()


def _furnish(data: Path) -> None:
    with reach(Place(data, (), True)) as house:
        house.ask(
            SaveDevice(
                Device(
                    "BENCH",
                    role="workstation",
                    addresses=HERE,
                    all_rooms=True,
                    worklist_window_days=10,
                    find_limit=5000,
                )
            )
        )
        house.ask(SaveDevice(Device("SINK", "127.0.0.1", SINK_PORT, "archive", HERE)))
        house.ask(SaveSender(HisSender("HIS", HERE)))
        for modality in MODALITIES:
            house.ask(SaveRoom(Room(f"{modality}1", f"Salle {modality}", modality, (f"{modality}01",))))
            house.ask(SaveExam(Exam(f"EX{modality}", f"EXAMEN {modality}", modality, (f"{modality}1",), 10)))


def target(opened: Box) -> str:
    return f"yelen=127.0.0.1:{opened.port('dicom')}/YELEN"
