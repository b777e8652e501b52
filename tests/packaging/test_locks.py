"""The lock files hold what pyproject asks for, with hashes, and say nothing of any registry."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-npm.lock")


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "install" / name).read_text()
    return {found[1].lower(): found[2] for found in re.finditer(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE)}


def wanted(requirements: list[str]) -> set[str]:
    return {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-") for line in requirements}  # type: ignore[index]


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash(name: str) -> None:
    text = (ROOT / "install" / name).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==\S+ \\", line) for line in entries)
    assert text.count(" \\\n    --hash=sha256:") >= len(entries)


@pytest.mark.parametrize("name", [*LOCKS, "package-lock.json", "package.json"])
def test_no_lock_names_a_registry(name: str) -> None:
    text = (ROOT / "install" / name).read_text()
    assert not re.search(r"https?://|file:|--index-url|--extra-index-url|--find-links|\"resolved\"", text)


def test_the_locks_hold_what_the_project_asks_for(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    assert wanted(dependencies) | wanted(extras["build"]) <= set(locked("requirements.lock"))
    assert wanted(extras["test"]) <= set(locked("requirements-test.lock"))


def test_a_test_run_has_the_very_versions_that_a_hospital_gets() -> None:
    runtime, test = locked("requirements.lock"), locked("requirements-test.lock")
    assert runtime.items() <= test.items()


def test_the_browser_files_are_pinned_with_their_integrity() -> None:
    lock = json.loads((ROOT / "install" / "package-lock.json").read_text())
    packages = {name.removeprefix("node_modules/"): entry for name, entry in lock["packages"].items() if name}
    assert {name: entry["version"] for name, entry in packages.items()} == {
        "htmx.org": "2.0.11",
    }
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())


def test_the_browser_files_in_place_are_those_of_the_lock() -> None:
    import hashlib

    for line in (ROOT / "install" / "vendor.sha256").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((ROOT / "kiosk" / "static" / "vendor" / name).read_bytes()).hexdigest() == digest


# Nothing imports these by name: pydicom and Python find decoders and time zones by themselves, a typeface is data.
FOUND_BY_OTHERS = {
    "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "tzdata", "fontpkg-fira-sans",
}  # fmt: skip


def imported_names() -> set[str]:
    """The first word of every import of ours."""
    found: set[str] = set()
    for folder in ("core", "kiosk", "tui", "scanners", "printers", "install"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add((node.module or "").partition(".")[0])
    return found


def test_every_dependency_is_imported(project: dict[str, object]) -> None:
    offers: dict[str, set[str]] = {}
    for name, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            offers.setdefault(distribution.lower().replace("_", "-"), set()).add(name)
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    used = imported_names()
    unused = {name for name in wanted(dependencies) if not offers.get(name, set()) & used}
    assert unused - FOUND_BY_OTHERS == set()


def test_every_browser_file_is_named_by_the_kiosk() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kiosk").rglob("*.py"))
    names = [line.split()[1] for line in (ROOT / "install" / "vendor.sha256").read_text().splitlines()]
    assert [name for name in names if f'"{name}"' not in code] == []
