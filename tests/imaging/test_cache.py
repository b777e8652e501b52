"""Caches are bounded by bytes, may vanish at any time, and never show an old or a torn picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from core.imaging.cache import DiskCache, MemoryCache
from core.imaging.imaging import Imaging
from core.imaging.picture import RenderedFrame
from core.imaging.window import Window
from tests.imaging.files import image_file

GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def picture(size: int, mark: bytes = b"x") -> RenderedFrame:
    return RenderedFrame(mark * size, "image/jpeg", True, 8, 8, Window(1, 2))


def test_memory_keeps_the_values_used_last_within_its_bytes() -> None:
    cache: MemoryCache[str] = MemoryCache(100)
    cache.put("a", "A", 40)
    cache.put("b", "B", 40)
    assert cache.get("a") == "A"
    cache.put("c", "C", 40)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.bytes) == ("A", None, "C", 80)


def test_memory_refuses_what_is_larger_than_itself_and_counts_a_replacement_once() -> None:
    cache: MemoryCache[str] = MemoryCache(100)
    cache.put("a", "A", 60)
    cache.put("a", "A2", 70)
    cache.put("huge", "H", 101)
    assert (cache.get("a"), cache.get("huge"), cache.bytes) == ("A2", None, 70)


def test_a_picture_survives_a_restart(tmp_path: Path) -> None:
    DiskCache(tmp_path, 10_000).put("sha", "how", picture(100))
    again = DiskCache(tmp_path, 10_000)
    assert again.get("sha", "how") == picture(100)
    assert again.get("sha", "otherwise") is None
    assert again.get("another", "how") is None


def test_the_disk_keeps_the_pictures_used_last_within_its_bytes(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 2_500)
    cache.put("a", "", picture(1000))
    cache.put("b", "", picture(1000))
    cache.get("a", "")
    cache.put("c", "", picture(1000))
    assert [cache.get(key, "") is not None for key in "abc"] == [True, False, True]
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) == cache.bytes <= 2_500


def test_a_smaller_limit_is_kept_from_the_start(tmp_path: Path) -> None:
    large = DiskCache(tmp_path, 100_000)
    for n in range(10):
        large.put(str(n), "", picture(1000))
    assert DiskCache(tmp_path, 3_000).bytes <= 3_000
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 3_000


def test_a_torn_picture_is_a_missing_one(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for damage in (lambda content: b"", lambda content: content[:50], lambda content: bytes(len(content))):
        cache.put("sha", "", picture(500))
        (entry,) = tmp_path.glob("*/*")
        entry.write_bytes(damage(entry.read_bytes()))
        assert cache.get("sha", "") is None
        assert not list(tmp_path.glob("*/*"))


def test_unfinished_files_go_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "0123.99.part").write_bytes(b"half")
    DiskCache(tmp_path, 10_000)
    assert not list(tmp_path.glob("*/*"))


def test_the_folder_may_be_deleted_while_the_box_runs(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 10_000)
    cache.put("sha", "", picture(100))
    shutil.rmtree(tmp_path / "cache")
    assert cache.get("sha", "") is None
    cache.put("sha", "", picture(100))
    assert cache.get("sha", "") == picture(100)


def test_a_disk_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = DiskCache(tmp_path / "cache", 10_000)
    cache.put("sha", "", picture(100))
    assert cache.get("sha", "") is None


def test_only_pictures_with_their_own_window_are_kept_and_by_content(tmp_path: Path) -> None:
    files, kept = tmp_path / "files", tmp_path / "cache"
    files.mkdir()
    path = image_file(files, GREY)
    room = Imaging(kept)
    try:
        first = room.thumbnail(path, key="hash of the first")
        room.frame(path, window=Window(100, 50), key="hash of the first")
        room.frame(path)
        assert len(list(kept.glob("pictures/*/*"))) == 1
        path.unlink()
        image_file(files, GREY.T.copy()).rename(path)
        assert room.thumbnail(path, key="hash of the first") == first
        assert room.thumbnail(path, key="hash of the second") != first
    finally:
        room.close()
