"""`yelen demo`: a made-up hospital with real doors. The box, a HIS, four machines and a small staff, each a process.

Everything that moves goes over real sockets: HL7, worklist, MPPS, C-STORE, the terminals' socket, HTTP.
"""

from __future__ import annotations

import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from core.config import FILE_NAME, load
from core.errors import Unreachable
from core.i18n import _
from install.commands.init import create, create_copy
from install.demo.accounts import PASSWORD, PIN, users
from install.demo.furnishing import MACHINES, furnish
from install.demo.morning import morning_of
from install.demo.staff import Staff
from install.house import open_house
from install.place import Place

READY_S = 60
SITE = ("site.hospital=CHU pédiatrique de démonstration", "site.patient_prefix=CDG", "site.authority=CHUP")


class Worker:
    """A child process whose lines are shown and whose log goes to a file; it ends with the demo."""

    def __init__(self, log: Path, *arguments: str) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                process_group=0,  # Ctrl-C reaches the demo alone, which ends its workers in order
            )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait_for(self, beginning: str) -> str:
        """The first line with this beginning. Raises `Unreachable` when the process ends or says nothing in time."""
        while True:
            try:
                line = self.lines.get(timeout=READY_S)
            except queue.Empty:
                raise Unreachable(_("La démonstration n'a pas démarré à temps.")) from None
            if line is None:
                raise Unreachable(_("La démonstration s'est arrêtée au démarrage."))
            if line.startswith(beginning):
                return line
            click.echo(line)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()


def run(data: Path, speed: float, settings: Iterable[str] = ()) -> int:
    """Open the demo hospital and show what happens until Ctrl-C."""
    settings = (*_free_ports(data), *settings)
    second = data.parent / f"{data.name}-batiment-2"
    if not (second / FILE_NAME).exists():
        create_copy(Place(second, (*SITE, "replica.role=replica")))
    if not (data / FILE_NAME).exists():
        target = (f"replica.target={second.absolute()}", "replica.interval_s=2")
        create(Place(data, (*SITE, *target)), "racine", _("Démonstration"), PASSWORD)
    workers: list[Worker] = []
    staff: Staff | None = None
    log = data / "demo.log"
    leaving = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_unused: leaving.set())
    try:
        his = Worker(log, "-m", "install.demo.his")
        workers.append(his)
        his_port = int(his.wait_for("écoute").split()[1])
        with open_house(load(data, settings)) as house:
            furnish(house.services, data / "papier", his_port)
        copy = Worker(log, "-m", "install", "replica", "apply", "--data", str(second))
        workers.append(copy)
        copy.wait_for("prêt")
        box = Worker(log, "-m", "install", "serve", "--data", str(data), *_flags(settings))
        workers.append(box)
        doors = dict(part.split("=", 1) for part in box.wait_for("prêt").split()[1:])
        _welcome(data, second, doors)
        morning = morning_of(data, datetime.now(UTC))
        his.tell(f"envoyer {doors['hl7'].rpartition(':')[2]} {morning.began.isoformat()}")
        workers += _machines(log, int(doors["dicom"].rpartition(":")[2]), speed, morning.is_new)
        staff = Staff(Path(doors["rpc"]), f"http://{doors['http']}/", morning.began, speed, click.echo)
        staff.start()
        _show(workers, leaving, box)
    finally:
        if staff is not None:
            staff.stop()
        for worker in reversed(workers):
            worker.stop()
    return 0


def _free_ports(data: Path) -> list[str]:
    """The usual ports, or any free one where somebody is already listening."""
    usual = {"dicom": 11112, "hl7": 2575, "web": 8080}
    return [f"{door}.port=0" for door, port in usual.items() if _taken(port)]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _flags(settings: Iterable[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _machines(log: Path, port: int, speed: float, surprise: bool) -> list[Worker]:
    pause = max(0.2, 120 / speed)
    return [
        Worker(
            log,
            "-m",
            "install.demo.machine",
            ae_title,
            modality,
            str(port),
            f"--pause={pause}",
            *(["--surprise"] if surprise and modality == "US" else []),
        )
        for ae_title, modality, _room in MACHINES
    ]


def _welcome(data: Path, second: Path, doors: dict[str, str]) -> None:
    """Where to look, and with which accounts."""
    yelen = "yelen" if shutil.which("yelen") else Path(sys.executable).with_name("yelen")
    rows = [f"    {user.login:<12} {what}" for user, what in users()]
    click.echo(
        "\n".join(
            (
                "",
                _("L'hôpital de démonstration est ouvert. Tout y est inventé."),
                "",
                _("  Navigateur    http://%s/") % doors["http"],
                _("  Terminal      %s tui --data %s") % (yelen, data),
                _("  Papier        %s") % (data / "papier"),
                _("  Bâtiment 2    %s    la preuve : %s replica verify --data %s") % (second, yelen, data),
                _("  Journal       %s") % (data / "demo.log"),
                _("  DICOM         %s (titre AE YELEN)    HL7  %s") % (doors["dicom"], doors["hl7"]),
                "",
                _("  Comptes (mot de passe %s, code PIN %s) :") % (PASSWORD, PIN),
                *rows,
                "",
                _("  Ctrl-C arrête tout. Les données restent dans %s.") % data,
                "",
            )
        )
    )


def _show(workers: list[Worker], leaving: threading.Event, box: Worker) -> None:
    """Print what happens until asked to leave, or until the box ends."""
    while not leaving.wait(0.2):
        for worker in workers:
            with suppress(queue.Empty):
                while (line := worker.lines.get_nowait()) is not None:
                    click.echo(line)
        if box.process.poll() is not None:
            raise Unreachable(_("La boîte s'est arrêtée."))
