"""The scripts that set a checkout up, start it and test it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = (
    "install/setup",
    "install/start",
    "install/test",
    "install/peers",
    "install/lock",
    ".ci/run",
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_executable_bash_that_parses(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert (ROOT / name).read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", name], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != ".ci/run"])
def test_a_script_stops_at_its_first_mistake(name: str) -> None:
    assert "set -euo pipefail" in (ROOT / name).read_text()


def test_set_up_needs_to_know_for_what() -> None:
    done = subprocess.run(["install/setup", "autre"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 64
    assert "usage" in done.stderr


def test_every_peer_that_a_test_may_miss_is_installed_by_the_script() -> None:
    from tests import skips

    wanted = {r.rpartition(" ")[2] for r in skips.KNOWN_REASONS if "apt-get install" in r}
    listed = (ROOT / "install" / "peers").read_text().split("wanted=(")[1].split(")")[0].split()
    assert wanted <= set(listed)
