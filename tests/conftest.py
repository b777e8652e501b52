"""What every test may use: the --full switch, one Chromium, and the rule that a skip needs a known reason."""

from __future__ import annotations

import pytest

from tests.people.chromium import chromium  # noqa: F401 - fixture
from tests.skips import FULL_ONLY, KNOWN_REASONS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the long tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    for item in items:
        if "full" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=FULL_ONLY))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """A skip whose reason nobody wrote down is a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason not in KNOWN_REASONS:
            report.outcome = "failed"
            report.longrepr = f"skipped for a reason that is not in tests/skips.py: {reason}"
