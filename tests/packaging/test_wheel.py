"""The wheel holds the six packages, speaks both languages, and works far from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"core", "kiosk", "tui", "scanners", "printers", "install"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the hatchling that is installed: no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("yelen-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(unpacked: Path, elsewhere: Path, code: str) -> str:
    """Python in another directory, where only the wheel's packages can be ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    script = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]; {code}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=elsewhere,
        env={**environment, "PYTHONPATH": str(unpacked)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_the_wheel_holds_exactly_the_six_packages(unpacked: Path) -> None:
    found = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert found == PACKAGES


def test_the_wheel_holds_no_tool_of_the_checkout(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith("install/") and "." not in name.rpartition("/")[2]]
    assert "install/build_hook.py" not in names


def test_the_wheel_brings_its_templates_its_migrations_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("core/config/template.toml", "core/index/migrations/0001_initial.py"):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_brings_every_file_of_the_kiosk_that_is_in_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(p.relative_to(ROOT)) for p in (ROOT / "kiosk").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert {name for name in wanted if not Path(name).name.startswith(".")} <= names


def test_the_wheel_speaks_french_and_english(unpacked: Path, tmp_path: Path) -> None:
    code = "from core.i18n import _, speak; a = _('réglage inconnu'); speak('en'); print(a, '/', _('réglage inconnu'))"
    assert run(unpacked, tmp_path, code) == "réglage inconnu / unknown setting"


def test_every_package_is_imported_from_the_wheel_in_another_directory(unpacked: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(sorted(PACKAGES))}; print(core.__file__); print(install.__file__)"
    assert all(line.startswith(str(unpacked)) for line in run(unpacked, tmp_path, code).splitlines())


def test_the_command_line_of_the_wheel_answers(unpacked: Path, tmp_path: Path) -> None:
    code = "sys.argv = ['yelen', '--help']; from install.cli import main; main()"
    assert "serve" in run(unpacked, tmp_path, code)


def test_the_entry_point_is_yelen(unpacked: Path) -> None:
    (found,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "yelen = install.cli:main" in found.read_text()
