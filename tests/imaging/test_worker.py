"""A hostile file costs its own picture, never the box: the worker may starve, hang or die."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEGLSLossless

from core.errors import NotFound, OutOfResources
from core.imaging.imaging import MIB, Imaging
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.process import Cancellation, WorkerProcess
from core.imaging.window import Window
from core.imaging.wire import DescribeJob
from tests.imaging.files import image_data, image_file, save

GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
HERE = Path(__file__).parent
PATIENCE = 120
"""Seconds before a test that hangs gives up; nothing is measured with it."""


@pytest.fixture
def imaging() -> Iterator[Imaging]:
    room = Imaging(deadline_s=PATIENCE)
    yield room
    room.close()


def worker(script: str, *arguments: str, deadline_s: float = PATIENCE) -> WorkerProcess:
    """A worker process that runs one of the misbehaving scripts beside this test."""
    command = [sys.executable, str(HERE / script), *arguments]
    return WorkerProcess(memory_bytes=0, cache_bytes=0, idle_s=0, deadline_s=deadline_s, command=command)


class Hanging:
    """A worker that hangs on the job of a thread, and is known to hang when this value exists."""

    def __init__(self, folder: Path) -> None:
        self.path = image_file(folder, GREY)
        self.refusals: list[Reason] = []
        started = folder / "started"
        os.mkfifo(started)
        self.worker = worker("hanging_worker.py", str(started))
        self.cancel = Cancellation()
        self.thread = self.ask(self.cancel)
        started.read_bytes()

    def ask(self, cancel: Cancellation) -> threading.Thread:
        thread = threading.Thread(target=self._ask, args=(cancel,))
        thread.start()
        return thread

    def _ask(self, cancel: Cancellation) -> None:
        with self.path.open("rb") as file:
            try:
                self.worker.ask(DescribeJob(), file.fileno(), cancel)
            except NotDisplayable as refusal:
                self.refusals.append(refusal.reason)


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Hanging]:
    found = Hanging(tmp_path)
    yield found
    found.worker.close()
    found.thread.join(PATIENCE)


def test_a_picture_comes_back_from_the_worker(imaging: Imaging, tmp_path: Path) -> None:
    shown = imaging.frame(image_file(tmp_path, GREY), window=Window(2048, 4096), size=32)
    assert (shown.mime, shown.width, shown.height, shown.lossy) == ("image/jpeg", 32, 32, True)
    assert shown.window_used == Window(2048, 4096)
    assert Image.open(io.BytesIO(shown.data)).size == (32, 32)


def test_a_descriptor_is_as_good_as_a_path_and_keeps_its_place(imaging: Imaging, tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    with path.open("rb") as file:
        os.lseek(file.fileno(), 7, os.SEEK_SET)
        assert imaging.frame(file.fileno(), format="png") == imaging.frame(path, format="png")
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 7


def test_stored_values_come_back_through_shared_memory(imaging: Imaging, tmp_path: Path) -> None:
    data = image_data(GREY.astype(np.int16) - 1000, RescaleSlope=2, RescaleIntercept=-10)
    data.compress(JPEGLSLossless, generate_instance_uid=False)
    frame = imaging.pixels(save(data, tmp_path / "x.dcm"))
    assert np.array_equal(frame.array(), GREY.astype(np.int16) - 1000)
    assert (frame.slope, frame.intercept) == (2, -10)
    with pytest.raises(ValueError, match="read-only"):
        frame.array()[0, 0] = 1


def test_a_missing_file_and_a_missing_frame_are_not_found(imaging: Imaging, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="absent de l'archive"):
        imaging.frame(tmp_path / "nowhere.dcm")
    with pytest.raises(NotFound, match="il en compte 1"):
        imaging.frame(image_file(tmp_path, GREY), 2)


def test_the_refusal_of_the_worker_is_spoken_here(imaging: Imaging, tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, Rows=0)
    with pytest.raises(NotDisplayable, match="En-tête d'image incohérent : Rows") as refusal:
        imaging.frame(path)
    assert refusal.value.reason is Reason.BAD_HEADER
    assert imaging.describe(path).reason == "En-tête d'image incohérent : Rows."


def test_a_worker_that_was_killed_is_started_again_and_the_picture_still_comes(
    imaging: Imaging, tmp_path: Path
) -> None:
    path = image_file(tmp_path, GREY)
    before = imaging.frame(path)
    pid = imaging.interactive.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert imaging.frame(path) == before
    assert imaging.interactive.starts == 2


def test_a_file_that_kills_two_workers_is_not_given_to_a_third(tmp_path: Path) -> None:
    path, other = image_file(tmp_path, GREY), image_file(tmp_path, GREY + 1)
    room = Imaging()
    room.interactive = worker("crashing_worker.py")
    try:
        for _ in range(2):
            with pytest.raises(NotDisplayable) as refusal:
                room.frame(path)
            assert refusal.value.reason is Reason.CRASHED
            assert room.interactive.starts == 2
        with pytest.raises(NotDisplayable):
            room.frame(other)
        assert room.interactive.starts == 4
    finally:
        room.close()


@contextmanager
def no_descriptor_left(but: int) -> Iterator[None]:
    """This process can open `but` descriptors more, as in the rush hour of a box at its limit."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.dup(0) for _ in range(but + 1)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare), limits[1]))
    for fd in spare:
        os.close(fd)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("but", [0, 1, 2, 3, 4])
def test_a_box_without_a_free_descriptor_refuses_for_now_and_condemns_no_image(
    imaging: Imaging, tmp_path: Path, but: int
) -> None:
    path = image_file(tmp_path, GREY)
    with no_descriptor_left(but), pytest.raises(OutOfResources):
        imaging.frame(path)
    assert imaging.frame(path).mime == "image/jpeg"


def test_a_worker_that_dies_before_it_is_ready_says_nothing_about_the_file(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    room = Imaging()
    sound, room.interactive = room.interactive, worker("no_such_worker.py")
    try:
        with pytest.raises(OutOfResources, match="ne peut pas démarrer"):
            room.frame(path)
        room.interactive = sound
        assert room.frame(path).mime == "image/jpeg"
    finally:
        room.close()


def test_what_the_worker_has_to_say_is_in_the_log_of_the_box(
    imaging: Imaging, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = image_data(GREY)
    data.compress(JPEGLSLossless, generate_instance_uid=False)
    path = save(data, tmp_path / "x.dcm")
    content = path.read_bytes()
    start = content.index(b"\xff\xd8\xff")
    path.write_bytes(content[: start + 4] + bytes(len(content) - start - 4))
    with pytest.raises(NotDisplayable):
        imaging.frame(path)
    assert "WARNING core.imaging.codecs no decoder for a frame of JPEG-LS" in capfd.readouterr().err


def test_a_job_over_its_deadline_is_given_up_and_its_worker_ended(tmp_path: Path) -> None:
    slow = worker("hanging_worker.py", os.devnull, deadline_s=2)
    with image_file(tmp_path, GREY).open("rb") as file, pytest.raises(NotDisplayable) as late:
        slow.ask(DescribeJob(), file.fileno())
    assert str(late.value) == "Décodage abandonné après 2 s."
    assert slow.pid is None


def test_a_running_job_can_be_cancelled(hanging: Hanging) -> None:
    hanging.cancel.cancel()
    hanging.thread.join(PATIENCE)
    assert hanging.refusals == [Reason.CANCELLED]
    assert hanging.worker.pid is None


def test_a_job_that_waits_behind_another_can_be_cancelled_without_disturbing_it(hanging: Hanging) -> None:
    second = Cancellation()
    waits = hanging.ask(second)
    second.cancel()
    waits.join(PATIENCE)
    assert hanging.refusals == [Reason.CANCELLED]
    assert hanging.thread.is_alive()
    assert hanging.worker.starts == 1


def test_closing_ends_the_job_that_runs_and_refuses_later_ones(hanging: Hanging) -> None:
    hanging.worker.close()
    hanging.thread.join(PATIENCE)
    hanging.ask(Cancellation()).join(PATIENCE)
    assert hanging.refusals == [Reason.STOPPED] * 2
    assert hanging.worker.pid is None


def test_a_worker_without_work_leaves_and_another_takes_the_next_job(tmp_path: Path) -> None:
    room = Imaging(idle_s=1)
    try:
        path = image_file(tmp_path, GREY)
        first = room.frame(path)
        pid = room.interactive.pid
        assert pid is not None
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert room.frame(path) == first
        assert room.interactive.starts == 2
    finally:
        room.close()


def test_an_image_larger_than_the_memory_of_the_worker_is_refused_and_the_worker_lives(tmp_path: Path) -> None:
    room = Imaging(memory_bytes=48 * MIB)
    try:
        path = image_file(tmp_path, GREY, Rows=8000, Columns=8000, PixelData=bytes(8000 * 8000 * 2))
        with pytest.raises(NotDisplayable, match="Mémoire insuffisante") as refusal:
            room.frame(path)
        assert refusal.value.reason is Reason.NO_MEMORY
        assert room.frame(image_file(tmp_path, GREY)).width == 64
        assert room.interactive.starts == 1
    finally:
        room.close()


def test_the_background_has_a_worker_of_its_own(imaging: Imaging, tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    assert imaging.thumbnail(path, background=True) == imaging.thumbnail(path)
    assert imaging.interactive.pid != imaging.background.pid
    assert imaging.thumbnail(path).width <= 128


def test_jobs_leave_no_descriptor_behind(imaging: Imaging, tmp_path: Path) -> None:
    path, broken = image_file(tmp_path, GREY), image_file(tmp_path, GREY, Rows=0)

    def work() -> None:
        imaging.frame(path)
        imaging.pixels(path)
        imaging.describe(broken)
        with pytest.raises(NotDisplayable):
            imaging.pixels(broken)

    work()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        work()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(os.listdir(f"/proc/{imaging.interactive.pid}/fd")) <= 8


def test_many_threads_share_one_worker(imaging: Imaging, tmp_path: Path) -> None:
    paths = [image_file(tmp_path, GREY + n) for n in range(4)]
    expected = [imaging.frame(path, format="png").data for path in paths]
    found: dict[int, list[bytes]] = {}

    def look(n: int) -> None:
        found[n] = [imaging.frame(path, format="png").data for path in paths]

    threads = [threading.Thread(target=look, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert list(found.values()) == [expected] * 6
    assert imaging.interactive.starts == 1


def test_the_box_itself_loads_neither_numpy_nor_pydicom_for_pictures() -> None:
    program = "import sys, core.imaging.imaging; print({'numpy', 'pydicom', 'PIL', 'imagecodecs'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert loaded.stdout.strip() == "set()"
