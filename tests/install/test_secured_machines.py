"""The machines' TLS port of a box as it is installed: `yelen init --tls`, one setting, one machine."""

from __future__ import annotations

from pathlib import Path

from pynetdicom import AE

from core.dicom.conformance import VERIFICATION
from tests.dicom.test_tls import trusting
from tests.install.boxes import ANY_PORT, PASSWORD, Box, init, yelen

TLS = ("dicom.tls=true", "dicom.tls_port=0")


def test_a_machine_calls_over_tls_with_the_certificate_of_init(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = [word for setting in (*ANY_PORT, *TLS) for word in ("--set", setting)]
    assert yelen("init", "--tls", "127.0.0.1", *options, data=data, stdin=f"{PASSWORD}\n").returncode == 0
    box = Box(data)
    try:
        assert yelen("device", "add", "CT1", "--address", "127.0.0.1", "--tls", data=data).returncode == 0
        entity = AE("CT1")
        entity.add_requested_context(VERIFICATION)
        over = (trusting(data / "nginx" / "tls.crt"), "127.0.0.1")
        secured = entity.associate("127.0.0.1", box.port("dicom-tls"), ae_title="YELEN", tls_args=over)
        assert secured.send_c_echo().Status == 0
        secured.release()
        assert not entity.associate("127.0.0.1", box.port("dicom"), ae_title="YELEN").is_established
    finally:
        box.stop()


def test_tls_without_a_certificate_stops_the_start_and_says_what_makes_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    init(data)
    told = yelen("serve", "--set", "dicom.tls=true", data=data)
    assert told.returncode == 78
    assert "yelen init --tls" in told.stderr
