"""The printers of the tests, and the queue that stands behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SetClock, SystemClock
from tests.peers.ippeveprinter import IppEvePrinter, skip_unless_possible


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2027, 1, 12, 8, 45, tzinfo=UTC))


@pytest.fixture
def real_clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def laser(tmp_path: Path) -> Iterator[IppEvePrinter]:
    """A real IPP printer."""
    skip_unless_possible()
    with IppEvePrinter(tmp_path / "laser") as printer:
        yield printer
