"""What a package loads when it is imported: contracts that import-linter cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW_THE_FACES = ("core", "scanners", "printers")
OURS = {"core", "kiosk", "tui", "scanners", "printers", "install"}


def modules_of(package: str) -> list[str]:
    """Every module of a package, by its dotted name."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in found if all(part.isidentifier() for part in name.split("."))]


def loaded_by(*modules: str) -> set[str]:
    """Top-level names in `sys.modules` after importing these in a fresh Python."""
    code = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_nothing_below_the_faces_loads_flask_or_textual() -> None:
    loaded = loaded_by(*(name for package in BELOW_THE_FACES for name in modules_of(package)))
    assert not loaded & {"flask", "textual", "waitress", "htmx_flask", "kiosk", "tui", "install"}


def test_the_model_imports_no_library() -> None:
    loaded = loaded_by(*modules_of("core.model".replace(".", "/")))
    assert (
        loaded - set(sys.stdlib_module_names) - {"core", "__main__", "_distutils_hack", "sitecustomize"} <= start_up()
    )


def start_up() -> set[str]:
    """What this Python loads by itself, `.pth` files included."""
    return loaded_by()


def test_the_terminal_s_client_loads_no_library_of_the_core() -> None:
    assert not loaded_by("core.rpc.client") & {"peewee", "pydicom", "pynetdicom", "hl7apy", "numpy", "flask"}


def test_yelen_help_loads_no_library_but_click() -> None:
    loaded = loaded_by("install.cli")
    assert not loaded & {"peewee", "pydicom", "pynetdicom", "flask", "textual", "numpy", "msgspec", "reportlab"}


@pytest.mark.parametrize("package", sorted(OURS))
def test_a_module_reads_the_time_only_through_the_clock(package: str) -> None:
    """`datetime.now()`, `date.today()` and friends live in `core.clock` alone."""
    forbidden = {
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("date", "today"),
        ("time", "time"),
        ("time", "monotonic"),
    }
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        if path == ROOT / "core" / "clock.py" or "demo" in path.parts:
            continue
        attributes = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Attribute))
        for node in attributes:
            if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in forbidden:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found
