"""The configuration file: what it gives, and what a person reads when it is refused."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.config import FILE_NAME, Config, filled_template, load, template
from core.config.checks import RANGES
from core.config.loading import SECTIONS, keys
from core.errors import BadConfig
from tests.config.reading import keys_read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_text(template(), encoding="utf-8")
    return tmp_path


def edited(folder: Path, before: str, after: str) -> Path:
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    assert before in text
    (folder / FILE_NAME).write_text(text.replace(before, after), encoding="utf-8")
    return folder


def refusal(folder: Path, *settings: str) -> tuple[str, ...]:
    with pytest.raises(BadConfig) as caught:
        load(folder, settings)
    return caught.value.faults


def line_of(folder: Path, text: str) -> int:
    lines = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(text))


def test_the_template_is_a_configuration_that_starts(folder: Path) -> None:
    config = load(folder)
    assert (config.dicom.ae_title, config.dicom.port, config.hl7.port, config.web.port) == ("YELEN", 11112, 2575, 8080)
    assert {config.dicom.host, config.hl7.host, config.web.host} == {"127.0.0.1"}
    assert config.site.timezone == ZoneInfo("Africa/Ouagadougou")
    assert config.dicom.unknown_callers == config.hl7.unknown_senders == "reject"


def test_every_key_is_in_the_template_with_a_comment_of_its_own() -> None:
    section, commented, found = "", False, []
    for line in template().splitlines():
        if table := re.match(r"\[(\w+)\]", line):
            section = table[1]
        elif key := re.match(r"(\w+) = ", line):
            assert commented, f"{section}.{key[1]} has no comment above it"
            found.append(f"{section}.{key[1]}")
        commented = line.startswith("# ")
    assert sorted(found) == sorted(keys())
    assert len(found) < 60


def test_the_template_says_the_defaults_of_the_code(folder: Path) -> None:
    config = load(folder)
    for name, kind in SECTIONS.items():
        for f in fields(kind):
            if f.default is not MISSING:
                assert getattr(getattr(config, name), f.name) == f.default, f"{name}.{f.name}"


def test_every_number_has_a_range_and_every_range_a_key() -> None:
    numbers = {f"{n}.{f.name}" for n, kind in SECTIONS.items() for f in fields(kind) if f.type == "int"}
    assert numbers == set(RANGES)


def test_every_key_is_read_somewhere_in_the_code() -> None:
    root = Path(__file__).parents[2]
    folders = ("core", "kiosk", "tui", "scanners", "printers", "install")
    files = [p for folder in folders for p in (root / folder).rglob("*.py") if p.parent.name != "config"]
    files.append(root / "core" / "config" / "loading.py")  # `Config.socket`
    read = set().union(*(keys_read(path.read_text(encoding="utf-8")) for path in files))
    assert sorted(set(keys()) - read) == []


def test_all_faults_are_said_at_once_in_the_order_of_the_lines(folder: Path) -> None:
    edited(folder, "port = 11112", 'port = "onze"')
    edited(folder, 'ae_title = "YELEN"', 'ae_title = "YELEN_CHU_CDG_OUAGA"')
    edited(folder, "authority = ", "autorite = ")
    faults = refusal(folder)
    assert [fault.split(" : ")[:2] for fault in faults] == [
        [f"yelen.toml:{line_of(folder, '[site]')}", "site.authority"],
        [f"yelen.toml:{line_of(folder, 'autorite')}", "site.autorite"],
        [f"yelen.toml:{line_of(folder, 'port = ')}", "dicom.port"],
        [f"yelen.toml:{line_of(folder, 'ae_title')}", "dicom.ae_title"],
    ]
    assert "obligatoire absent" in faults[0]
    assert "inconnu" in faults[1]
    assert "« onze » n'est pas un nombre entier" in faults[2]
    assert "1 à 16 caractères" in faults[3]


def test_a_file_that_is_no_toml_is_refused_with_its_line(folder: Path) -> None:
    edited(folder, "threads = 16", "threads = 16 8")
    (fault,) = refusal(folder)
    assert fault.startswith(f"yelen.toml:{line_of(folder, 'threads')} : écriture incorrecte")


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    (fault,) = refusal(tmp_path)
    assert "yelen init" in fault


def test_the_command_line_goes_over_the_file(folder: Path) -> None:
    config = load(folder, ["dicom.port=0", "site.hospital=CHU-CDG", "web.behind_proxy=true", 'site.phone="226 25"'])
    assert (config.dicom.port, config.site.hospital, config.web.behind_proxy) == (0, "CHU-CDG", True)
    assert config.site.phone == "226 25"
    assert config.where("dicom.port") == "--set"
    assert config.where("hl7.port").startswith("yelen.toml:")


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("dicom.port=70000", "dicom.port"),
        ("dicom.port=1e3", "dicom.port"),
        ("dicom.port=²", "dicom.port"),
        ("dicom.ae_title=", "dicom.ae_title"),
        ("dicom.ae_title=A\\B", "dicom.ae_title"),
        ("dicom.unknown_callers=peut-être", "dicom.unknown_callers"),
        ("web.behind_proxy=oui", "web.behind_proxy"),
        ("site.timezone=Ouaga", "site.timezone"),
        ("site.timezone=../../etc/passwd", "site.timezone"),
        ("site.authority=CHU|CDG", "site.authority"),
        ("site.patient_prefix=é", "site.patient_prefix"),
        ("scheduling.slot_minutes=1", "scheduling.slot_minutes"),
        ("hl7.port=8080", "web.port"),
        ("hl7.host=serveur", "hl7.host"),
        ("replica.target=second", "replica.target"),
        ("replica.target=rsync://a b/c", "replica.target"),
        ("storage.reserve_percent=40", "storage.warn_percent"),
        ("rpc.path=yelen.sock", "rpc.path"),
        ("rien.port=1", "rien.port"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_key(folder: Path, setting: str, key: str) -> None:
    (fault,) = refusal(folder, setting)
    assert fault.split(" : ")[1] == key


def test_a_setting_without_a_section_is_refused(folder: Path) -> None:
    (fault,) = refusal(folder, "port=1")
    assert "section.clé=valeur" in fault


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["web.host=0.0.0.0"], "web.host"),
        (["dicom.host=0.0.0.0", "dicom.unknown_callers=accept"], "dicom.unknown_callers"),
        (["hl7.host=10.0.0.2", "hl7.unknown_senders=accept"], "hl7.unknown_senders"),
    ],
)
def test_leaving_loopback_needs_guards(folder: Path, settings: list[str], key: str) -> None:
    (fault,) = refusal(folder, *settings)
    assert fault.split(" : ")[1] == key


def test_a_declared_proxy_lets_the_kiosk_leave_loopback(folder: Path) -> None:
    assert load(folder, ["web.host=10.0.0.2", "web.behind_proxy=true"]).web.host == "10.0.0.2"


def test_secrets_that_others_can_read_are_refused_with_the_command_that_closes_them(folder: Path) -> None:
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "audit.key").write_bytes(b"k" * 32)
    (secrets / "audit.key").chmod(0o644)
    (fault,) = refusal(folder)
    assert "chmod 600" in fault
    (secrets / "audit.key").chmod(0o600)
    secrets.chmod(0o755)
    (fault,) = refusal(folder)
    assert "chmod 700" in fault
    secrets.chmod(0o700)
    assert isinstance(load(folder), Config)


def test_the_socket_is_in_the_data_folder_unless_the_site_says_otherwise(folder: Path) -> None:
    assert load(folder).socket == folder / "yelen.sock"
    assert load(folder, ["rpc.path=/run/yelen/yelen.sock"]).socket == Path("/run/yelen/yelen.sock")


def test_settings_given_when_the_box_is_made_are_written_in_its_file(tmp_path: Path) -> None:
    given = ['site.hospital=CHU-CDG "Charles" \\ de Gaulle', "dicom.port=104", "web.behind_proxy=true"]
    (tmp_path / FILE_NAME).write_text(filled_template(given), encoding="utf-8")
    config = load(tmp_path)
    assert config.site.hospital == 'CHU-CDG "Charles" \\ de Gaulle'
    assert (config.dicom.port, config.hl7.port, config.web.behind_proxy) == (104, 2575, True)
    assert len(filled_template(given).splitlines()) == len(template().splitlines())


def test_a_wrong_value_given_when_the_box_is_made_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(filled_template(["dicom.port=onze"]), encoding="utf-8")
    (fault,) = refusal(tmp_path)
    assert fault.startswith("yelen.toml:")
    with pytest.raises(BadConfig):
        filled_template(["rien.port=1"])
