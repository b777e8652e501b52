"""What goes wrong on a day, at one running box: a sentence a person understands, nothing lost, the next one served."""

from __future__ import annotations

import random
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.dicom import dimse
from core.model.device import Device
from core.model.order import Room
from core.model.printing import Printer, PrintState
from core.rpc.contract import PrintJobs, PrintLabel, SaveDevice, SavePrinter, SearchPatients, Status
from install.calls import Quarantined, RefusedCallers, SaveRoom
from install.demo.accounts import PASSWORD
from install.demo.browser import Browser
from install.demo.phantoms import ct_head
from tests.days.conftest import Department, Seat
from tests.days.his import verdict
from tests.days.machines import Machine, exam_of
from tests.days.posts import terminal
from tests.days.second import SecondBuilding, tables
from tests.days.site import Site
from tests.dicom.modality import Modality, request_command
from tests.install.boxes import Box, init, yelen
from tests.people.images import CT_IMAGE, EXPLICIT, dataset, encoded
from tests.skips import needs_chromium, needs_dcmtk, needs_rsync

HANGING_S = 30.0


def test_a_wrong_configuration_is_said_whole_with_its_lines(department: Department, tmp_path: Path) -> None:
    right = (department.site.data / "yelen.toml").read_text(encoding="utf-8")
    wrong = right.replace('ae_title = "YELEN"', 'ae_title = "UN_TITRE_BEAUCOUP_TROP_LONG"').replace(
        "lock_minutes = 30", "lock_minuets = 30"
    )
    (tmp_path / "yelen.toml").write_text(wrong, encoding="utf-8")
    refused = yelen("serve", data=tmp_path)
    assert refused.returncode == 78
    for word in ("ae_title", "lock_minuets"):
        line = next(n for n, row in enumerate(wrong.splitlines(), 1) if row.startswith(word))
        assert f"yelen.toml:{line} : " in refused.stderr
        assert word in refused.stderr
    (tmp_path / "yelen.toml").write_text(right, encoding="utf-8")
    assert yelen("status", data=tmp_path).returncode == 3


def test_a_second_server_on_the_same_data_leaves_the_first_alone(department: Department) -> None:
    second = yelen("serve", data=department.site.data)
    assert second.returncode == 1
    assert "Un serveur Yelen tient déjà le dossier" in second.stderr
    assert department.site.ask(Status())["doors"]["dicom"] == department.site.box.addresses["dicom"]


def test_a_port_that_is_taken_is_named_and_another_one_is_taken(department: Department, tmp_path: Path) -> None:
    assert init(tmp_path / "data", f"dicom.port={department.port('dicom')}").returncode == 0
    refused = yelen("serve", data=tmp_path / "data")
    assert refused.returncode == 78
    assert f"dicom.port : le port {department.port('dicom')} de 127.0.0.1 est déjà pris" in refused.stderr
    other = Box(tmp_path / "data", "dicom.port=0")
    assert other.stop() == 0
    assert department.scanner.echoes(department.port("dicom"))


@needs_dcmtk
def test_an_unknown_machine_is_refused_and_named_until_it_is_declared(department: Department, tmp_path: Path) -> None:
    stranger = Machine("ECHO9", "US", tmp_path)
    assert not stranger.echoes(department.port("dicom"))
    listed = yelen("list", "refused", "--text", data=department.site.data).stdout
    assert "dicom\tECHO9\t127.0.0.1\trefusé : titre AE ou adresse inconnus" in listed
    department.site.ask(SaveDevice(Device("ECHO9", "127.0.0.1", 0, addresses=("127.0.0.1",), modality="US")))
    assert stranger.echoes(department.port("dicom"))


@needs_dcmtk
@pytest.mark.parametrize(
    ("door", "why"), [("dicom", "ne parle pas DICOM"), ("hl7", "ne parle pas HL7"), ("http", ""), ("rpc", "")]
)
def test_garbage_at_a_door_closes_that_connection_and_no_other(department: Department, door: str, why: str) -> None:
    rubbish = random.Random(door).randbytes(200_000).translate(None, b"\x0b\n") + b"\n"
    with department.connect(door) as line, suppress(OSError):
        line.sendall(rubbish)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65_536):
            pass
    assert department.scanner.echoes(department.port("dicom"))
    assert verdict(department.his.admits(department.port("hl7"), department.child()))[0] == "AA"
    assert Browser(department.site.kiosk + "/").get("/connexion").startswith("<!doctype html>")
    refused = {(caller.door, caller.why) for caller in department.site.ask(RefusedCallers())}
    assert not why or (door, why) in refused


def test_a_truncated_object_is_kept_aside_with_its_reason(department: Department) -> None:
    whole, uid = encoded(dataset("2.25.501", study="2.25.50")), "2.25.501"
    with Modality(("127.0.0.1", department.port("dicom"))) as scanner:
        scanner.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=b"SCANNER1")
        store = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, uid)
        assert scanner.ask(1, store, whole[:150]) not in (0, None)
        assert scanner.ask(1, store, whole) == 0
        scanner.release()
    kept = department.site.ask(Quarantined())[0]
    assert (kept.ae_title, kept.why) == ("SCANNER1", "fichier tronqué")
    assert (department.site.data / kept.path).read_bytes().endswith(whole[:150])
    assert "fichier tronqué" in yelen("list", "quarantine", data=department.site.data).stdout
    assert department.witness.one("SELECT COUNT(*) FROM instance WHERE sop_instance_uid = ?", uid) == 1


@needs_dcmtk
def test_images_under_another_childs_number_are_kept_under_the_overlay(department: Department) -> None:
    child, other = department.child(), department.child("KABORÉ")
    item = department.order(child)
    department.order(other)
    department.scanner.store(department.port("dicom"), ct_head(exam_of(item, patient_id=other.number), slices=2))
    browser = Browser(department.site.kiosk + "/")
    browser.get("/connexion")
    page = browser.submit("/connexion", nom="radiologue", secret=PASSWORD)
    assert "identité en cours de vérification" in page
    assert f"numéro de patient « {other.number} » différent de celui de la demande ({child.number})" in page
    study = department.witness.one("SELECT id FROM study WHERE sent_id = ? AND match = 'unreconciled'", other.number)
    assert "Identité en cours de vérification" in browser.get(f"/etude/{study}")
    third = department.child()
    department.scanner.store(department.port("dicom"), ct_head(exam_of(department.order(third)), slices=2))
    assert department.witness.one("SELECT match FROM study WHERE sent_id = ?", third.number) == "matched"


def test_a_message_without_a_patient_is_refused_in_words_and_kept(department: Department) -> None:
    kept = department.site.ask(Status())["hl7"]["received"]
    answer = department.his.says(department.port("hl7"), "ADT^A04^ADT_A01", "EVN|A04|20260727083000", "PV1|1|I|URG")
    assert verdict(answer) == ("AE", department.his.control_id)
    assert "PID absent : patient inconnu" in str(answer)
    assert verdict(department.his.admits(department.port("hl7"), department.child()))[0] == "AA"
    assert department.site.ask(Status())["hl7"]["received"] == kept + 2


def test_latin_1_that_says_it_is_utf_8_is_read_and_the_doubt_is_said(department: Department) -> None:
    child = department.child("OUÉDRAOGO")
    pid = f"PID|1||{child.number}^^^CHUP^PI||{child.family}^Aïssata||20190315|F"
    answer = department.his.says(
        department.port("hl7"), "ADT^A04^ADT_A01", "EVN|A04|20260727083000", pid, codec="latin-1", said="UNICODE UTF-8"
    )
    assert verdict(answer)[0] == "AA"
    assert "jeu de caractères douteux" in str(answer)
    (found,) = department.site.ask(SearchPatients(child.number))
    assert found.name == "OUÉDRAOGO Aïssata"


@needs_dcmtk
def test_a_disc_gives_what_can_be_read_and_names_the_rest(department: Department, disc: Path) -> None:
    item = department.order(department.child())
    good = department.scanner.burned(ct_head(exam_of(item), slices=2))
    for path in good:
        shutil.copy(path, disc / path.stem)
    (disc / "RAYURE.DCM").write_bytes(good[0].read_bytes()[:700])
    (disc / "PERDU").symlink_to("nulle-part")
    (disc / "LISEZMOI.TXT").write_text("bonjour")
    done = yelen("import", str(disc), data=department.site.data)
    assert done.returncode == 1
    assert "2 images archivées" in done.stdout
    assert "en quarantaine : RAYURE.DCM" in done.stdout
    assert "illisible : PERDU" in done.stdout
    assert "1 autre fichier ignoré" in done.stdout
    step = department.witness.step(item.AccessionNumber)
    assert department.witness.one("SELECT instances FROM study WHERE step_id = ?", step) == 2
    assert "1 image archivée" not in yelen("import", str(disc), data=department.site.data).stdout


@needs_dcmtk
def test_a_printer_that_is_off_is_said_and_prints_when_it_is_on(department: Department) -> None:
    step = department.witness.step(department.order(department.child("N'DIAYE")).AccessionNumber)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    department.site.ask(SavePrinter(Printer("ETIQ", "raw", f"127.0.0.1:{port}", "zpl")))
    department.site.ask(PrintLabel(step, "ETIQ"))
    (job,) = department.once("print", PrintJobs(1), lambda jobs: bool(jobs[0].reason))
    assert (job.state, job.reason) == (PrintState.QUEUED, "ne répond pas")
    with socket.create_server(("127.0.0.1", port)) as switched_on:
        switched_on.settimeout(HANGING_S)
        sheet = b""
        while b"^XZ" not in sheet:
            line, _address = switched_on.accept()
            with line:
                line.settimeout(HANGING_S)
                while piece := line.recv(65_536):
                    sheet += piece
        department.once("print", PrintJobs(1), lambda jobs: jobs[0].state is PrintState.DONE)
    assert b"N_27DIAYE" in sheet  # ^FH_: the apostrophe in hexadecimal


@needs_chromium
@needs_dcmtk
def test_a_browser_without_a_line_says_so_and_catches_up(department: Department, seat: Seat) -> None:
    page = seat(department.site.kiosk, "urgences")
    page.context.set_offline(True)
    page.evaluate("htmx.trigger('#liste', 'revenir')")
    expect(page.locator("#liaison")).to_contain_text("Liaison coupée depuis")
    child = department.child("ZOUNGRANA")
    department.order(child)
    expect(page.locator("main")).not_to_contain_text("ZOUNGRANA")
    page.context.set_offline(False)
    page.evaluate("htmx.trigger('#liste', 'revenir')")
    expect(page.locator("main")).to_contain_text(f"ZOUNGRANA {child.given}")
    expect(page.locator("#liaison")).to_be_hidden()


def test_a_terminal_that_is_too_small_says_so_and_works_once_it_is_larger(department: Department) -> None:
    with terminal(department.site.data, "petit", columns=60, rows=20) as post:
        post.wait_for("Terminal trop petit : Yelen demande 80 colonnes sur 24")
        post.resize(80, 24)
        post.wait_for("Identifiant")


@pytest.fixture
def first(tmp_path: Path, second: SecondBuilding) -> Iterator[Site]:
    site = Site(tmp_path, f"replica.target={second.data}", "replica.interval_s=1").start()
    yield site
    site.close()


@needs_rsync
def test_a_second_building_that_is_gone_is_said_and_catches_up_when_it_is_back(
    first: Site, second: SecondBuilding, tmp_path: Path
) -> None:
    away = second.data.rename(tmp_path / "loin")
    first.ask(SaveRoom(Room("SC2", "Second scanner", "CT")))
    first.until_the_copy(lambda told: "n'existe pas" in told["error"], "the box says that the other one is away")
    assert f"le dossier {second.data}/ n'existe pas." in yelen("replica", "status", data=first.data).stdout
    first.ask(SaveRoom(Room("RX2", "Seconde radiographie", "DX")))
    away.rename(second.data)
    second.start()
    first.until_the_copy_has_all()
    assert [row[0] for row in tables(second.data)["room"]] == ["RX2", "SC2"]
    assert yelen("replica", "verify", data=first.data).returncode == 0
    assert tables(first.data) == tables(second.data)
