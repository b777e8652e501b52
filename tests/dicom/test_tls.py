"""The TLS port: machines with certificates, machines without, and everybody else who knocks there."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from core.archive.part10 import file_meta, read_file_meta
from core.clock import SetClock, SystemClock
from core.dicom import conformance
from core.dicom.door import open_door
from core.dicom.limits import Limits
from core.dicom.secure import Secured
from core.dicom.server import DicomServer
from core.errors import BadConfig, BadInput
from core.index.tables import CallerAttempt, Instance
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department, open_department
from tests.dicom.stored import get, keep, keys
from tests.people.hospital import MORNING
from tests.skips import needs_dcmtk


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed certificates of the box and of two machines."""
    folder = tmp_path_factory.mktemp("papers")
    for name in ("box", "ct1", "other"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def department(tmp_path: Path) -> Iterator[Department]:
    department = open_department(tmp_path, SystemClock())
    yield department
    department.services.close()


@pytest.fixture
def door(department: Department, papers: Path) -> Iterator[DicomServer]:
    door = secured_door(department, papers)
    yield door
    door.stop()


def secured_door(department: Department, papers: Path, limits: Limits | None = None) -> DicomServer:
    secured = Secured(
        papers / "box.crt", papers / "box.key", lambda: (d.certificate for d in department.devices.all() if d.active)
    )
    config = department.kit.config
    door = open_door(
        department.services,
        config.dicom,
        config.site.timezone,
        config.data / "spool",
        department.kit.clock,
        department.services.release_thread,
        limits or Limits(tick=0.05),
        secured,
    )
    door.start()
    return door


def machine(papers: Path, own: str = "") -> ssl.SSLContext:
    """A modality that trusts the box, and shows its own certificate where it has one."""
    context = trusting(papers / "box.crt")
    if own:
        context.load_cert_chain(papers / f"{own}.crt", papers / f"{own}.key")
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


def call(door: DicomServer, context: ssl.SSLContext | None) -> Association:
    entity = AE("CT1")
    entity.add_requested_context(conformance.VERIFICATION)
    entity.add_requested_context(CT, conformance.EXPLICIT_LE)
    tls = (context, "127.0.0.1") if context else None
    return entity.associate(*door.address, ae_title="YELEN", tls_args=tls)


def told(department: Department) -> list[str]:
    """What an administrator reads about refused callers."""
    department.index.writer.do(lambda unit: None)  # what the door noted before is written by then
    return [row.result for row in CallerAttempt.select()]


def test_an_image_comes_over_tls_as_it_was_sent(door: DicomServer, department: Department, papers: Path) -> None:
    data_set = ct(sop_instance="1.2.3.1", pixels=bytes(600_000))
    path = papers / "image.dcm"
    path.write_bytes(file_meta(CT, "1.2.3.1", conformance.EXPLICIT_LE, "CT1") + data_set)
    association = call(door, machine(papers))
    assert association.is_established
    assert association.send_c_echo().Status == 0
    assert association.send_c_store(path).Status == 0
    association.release()
    kept = department.kit.archive.absolute(Instance.get().path).read_bytes()
    assert kept[read_file_meta(kept).dataset_offset :] == data_set


def test_a_study_is_fetched_over_tls_as_it_was_stored(door: DicomServer, department: Department, papers: Path) -> None:
    sent = keep(department, "1.2.9.1", pixels=bytes(600_000))
    fetched = get(door, keys("STUDY", StudyInstanceUID="1.2.3"), tls=machine(papers))
    assert fetched.objects == {"1.2.9.1": sent}


@needs_dcmtk
@pytest.mark.parametrize("spooled", [False, True])
def test_dcmtk_sends_over_tls(door: DicomServer, department: Department, papers: Path, spooled: bool) -> None:
    department.machine("CT1", room="SCAN", certificate=(papers / "ct1.crt").read_text())
    path = papers / "big.dcm"
    pixels = bytes((9 << 20) if spooled else 64)
    path.write_bytes(
        file_meta(CT, "1.2.3.9", conformance.EXPLICIT_LE, "CT1") + ct(sop_instance="1.2.3.9", pixels=pixels)
    )
    host, port = door.address
    program = shutil.which("storescu") or "storescu"
    security = ["+tls", "ct1.key", "ct1.crt", "+cf", "box.crt"]
    sent = subprocess.run(
        [program, *security, "-R", "-aet", "CT1", "-aec", "YELEN", host, str(port), str(path)],
        cwd=papers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    assert Instance.get().sop_instance_uid == "1.2.3.9"


def test_a_machine_with_a_certificate_is_only_that_machine(
    door: DicomServer, department: Department, papers: Path
) -> None:
    department.machine("CT1", room="SCAN", tls=True, certificate=(papers / "ct1.crt").read_text())
    assert call(door, machine(papers, "ct1")).is_established
    assert not call(door, machine(papers)).is_established, "without a certificate"
    department.machine("MR1", certificate=(papers / "other.crt").read_text())
    assert not call(door, machine(papers, "other")).is_established, "with the certificate of another one"
    assert "association-rejected: CERTIFICATE" in told(department)


def test_a_certificate_that_no_machine_declared_is_refused_and_told(
    door: DicomServer, department: Department, papers: Path
) -> None:
    assert not call(door, machine(papers, "other")).is_established
    assert told(department) == ["association-rejected: CERTIFICATE"]


def test_a_machine_that_must_use_tls_is_refused_on_the_plain_port(department: Department, papers: Path) -> None:
    department.machine("CT1", room="SCAN", tls=True)
    plain, secured = department.door(), secured_door(department, papers)
    plain.start()
    try:
        assert not call(plain, None).is_established
        assert call(secured, machine(papers)).is_established
    finally:
        plain.stop()
        secured.stop()
    assert "association-rejected: TLS" in told(department)


def test_a_certificate_that_is_none_is_refused_where_it_is_typed(department: Department) -> None:
    with pytest.raises(BadInput, match="certificat"):
        department.machine("CT1", certificate="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


@pytest.mark.parametrize(
    "weak",
    [
        {"maximum_version": ssl.TLSVersion.TLSv1_1},
        {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"},
        {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "AES128-GCM-SHA256:@SECLEVEL=0"},
    ],
    ids=["TLS 1.1", "no authenticated cipher", "no forward secrecy"],
)
def test_what_bcp_195_forbids_is_not_spoken(door: DicomServer, papers: Path, weak: dict[str, object]) -> None:
    context = machine(papers)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = weak["maximum_version"]  # type: ignore[assignment]
    context.set_ciphers(str(weak.get("ciphers", "ALL:@SECLEVEL=0")))
    with (
        socket.create_connection(door.address, timeout=10) as connection,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_tls_without_the_box_s_certificate_does_not_open(department: Department, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="yelen init --tls"):
        Secured(tmp_path / "none.crt", tmp_path / "none.key", lambda: ())


def test_plain_dicom_on_the_tls_port_is_closed_and_told(door: DicomServer, department: Department) -> None:
    assert not call(door, None).is_established
    assert any(result.startswith("not-dicom") for result in told(department))


def test_a_handshake_that_never_ends_costs_no_thread_and_its_time_only(tmp_path: Path, papers: Path) -> None:
    clock = SetClock(MORNING)
    department = open_department(tmp_path, clock)
    door = secured_door(department, papers, Limits(tick=0.05))
    try:
        with socket.create_connection(door.address, timeout=10) as silent:
            silent.sendall(b"\x16\x03\x01")  # the first bytes of a ClientHello
            assert door.associations == 0
            for _second in range(60):
                clock.advance(1.0)
                if _closed(silent):
                    break
            assert _closed(silent)
        assert call(door, machine(papers)).is_established
    finally:
        door.stop()
        department.services.close()


def _closed(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
