"""What the machine refuses: one French sentence, an exit code, and nothing left half-made."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.install.boxes import PASSWORD, YELEN, Box, environment, init, yelen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("site") / "data"
    assert init(data).returncode == 0
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    (tmp_path / "safe").mkdir()
    return tmp_path / "safe"


def refused(done: subprocess.CompletedProcess[str], sentence: str) -> bool:
    assert "Traceback" not in done.stderr
    assert "Erreur du serveur" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode == 1 and sentence in done.stderr


@pytest.mark.parametrize("running", [False, True])
def test_a_backup_that_fails_leaves_no_key_behind(data: Path, safe: Path, running: bool) -> None:
    (data / "secrets" / "dossier").mkdir(mode=0o700)  # no file: it cannot be copied as one
    box = Box(data) if running else None
    try:
        assert refused(yelen("backup", str(safe), data=data), "rien n'en reste")
    finally:
        if box:
            box.stop()
    assert list(safe.iterdir()) == []


def test_the_keys_of_a_backup_are_for_their_owner_alone(data: Path, safe: Path) -> None:
    command = ["sh", "-c", 'umask 000; exec "$@"', "sh", *YELEN, "backup", str(safe), "--data", str(data)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (copy,) = safe.iterdir()
    modes = {
        p.relative_to(copy): stat.S_IMODE(p.stat().st_mode) for p in (copy, *copy.rglob("*")) if "sauve" not in p.name
    }
    assert {mode for path, mode in modes.items() if (copy / path).is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if (copy / path).is_file()} == {0o600}


def test_a_backup_from_a_stick_that_knows_no_modes_is_put_back_private(data: Path, safe: Path) -> None:
    assert yelen("backup", str(safe), data=data).returncode == 0
    (copy,) = safe.iterdir()
    for path in copy.rglob("*"):
        path.chmod(0o777)
    assert yelen("restore", str(copy), data=data).returncode == 0
    assert stat.S_IMODE((data / "secrets" / "audit.key").stat().st_mode) == 0o600
    assert yelen("audit", "verify", data=data).returncode == 0
    assert list(data.glob("*.part")) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["replica", "carry-keys", "/nulle/part/cles.json"], "n'existe pas"),
        (["backup", "/nulle/part"], "n'est pas un dossier"),
        (["restore", "/nulle/part"], "n'est pas une sauvegarde"),
        (["import", "/nulle/part"], "introuvable"),
        (["backup", "/proc"], "/proc/yelen-"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(data: Path, words: list[str], sentence: str) -> None:
    assert refused(yelen(*words, data=data), sentence)


def test_a_data_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert refused(init(tmp_path / "data"), "data")


def test_a_reader_that_has_read_enough_gets_no_traceback(data: Path) -> None:
    command = 'set -o pipefail; "$@" | true'
    done = subprocess.run(
        ["bash", "-c", command, "bash", *YELEN, "check", "--data", str(data)],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_wrong_name_for_https_makes_nothing(tmp_path: Path) -> None:
    done = yelen("init", "--tls", "pas un nom", data=tmp_path / "d", stdin=f"{PASSWORD}\n")
    assert refused(done, "n'est pas un nom de machine")
    assert not (tmp_path / "d").exists()


def test_https_without_openssl_makes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*YELEN, "init", "--tls", "yelen.local", "--data", str(tmp_path / "d")],
        input=f"{PASSWORD}\n", env=environment() | {"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert refused(done, "apt-get install openssl")
    assert not (tmp_path / "d").exists()
