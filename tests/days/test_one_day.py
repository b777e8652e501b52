"""One hospital day, from the order to the second building, with everybody and everything in it real.

A child fell from a tree: the HIS admits and orders, the scanner scans, the radiologist reads, the ward knows. Another
one coughs and comes without an order: reception writes it, the machine knows no MPPS, and the number was mistyped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from install.demo.accounts import PIN
from install.demo.children import children
from install.demo.phantoms import Exam, ct_head, dx_chest, us_abdomen
from tests.days.browsers import sees_a_picture
from tests.days.conftest import Seat
from tests.days.his import His, verdict, words
from tests.days.machines import Machine, exam_of, step_of
from tests.days.posts import seated
from tests.days.second import SecondBuilding, forge_a_byte, forge_a_row, hashes, tables
from tests.days.site import Site
from tests.days.witness import Deed, Witness
from tests.install.boxes import yelen
from tests.printers import paper
from tests.skips import needs_chromium, needs_dcmtk, needs_poppler, needs_rsync
from tests.tui.harness import Terminal

HEMATOMA = "Hématome extra-dural temporal droit de 9 mm. Avis neurochirurgical demandé à 14 h."
PNEUMONIA = "Pneumopathie de la base droite."
SLICES = 12


@dataclass
class Day:
    """The hospital of the test. ct, rx: the two exams, by their number on every list, once they exist."""

    site: Site
    witness: Witness
    his: His
    scanner: Machine
    radiography: Machine
    echo: Machine
    folder: Path
    second: SecondBuilding
    ct: int = 0
    rx: int = 0

    @property
    def dicom(self) -> int:
        return self.site.box.port("dicom")

    @property
    def hl7(self) -> int:
        return self.site.box.port("hl7")


@pytest.fixture
def day(tmp_path: Path, second: SecondBuilding) -> Iterator[Day]:
    his = His()
    second.start()
    site = Site(tmp_path, f"replica.target={second.data}", "replica.interval_s=1").start()
    yield Day(
        site.furnish(his.port),
        Witness(site.data),
        his,
        Machine("SCANNER1", "CT", tmp_path),
        Machine("RADIO1", "DX", tmp_path),
        Machine("ECHO1", "US", tmp_path),
        tmp_path,
        second,
    )
    site.close()
    his.close()


@needs_chromium
@needs_dcmtk
@needs_poppler
@needs_rsync
def test_one_hospital_day(day: Day, seat: Seat) -> None:
    the_his_admits_and_orders(day)
    with seated(day.site.data, "accueil-1", "accueil") as reception:
        reception_notes_the_arrival_and_prints_the_label(day, reception)
        reception_registers_and_orders(day, reception)
    the_scanner_scans(day)
    the_other_machines_send_what_nobody_expects(day)
    with seated(day.site.data, "salles", "manip") as technologist:
        the_technologist_verifies_the_scan(day, technologist)
        the_technologist_attaches_the_radiograph(day, technologist)
    radiologist, nurse = seat(day.site.kiosk, "radiologue"), seat(day.site.kiosk, "urgences")
    the_radiologist_reads_and_tells_the_ward_at_once(day, radiologist)
    the_emergency_ward_has_a_preliminary(day, nurse)
    the_radiologist_signs(day, radiologist)
    the_his_has_the_result(day)
    the_report_came_out_on_paper(day)
    the_radiologist_signs_the_radiograph(day, radiologist)
    the_emergency_ward_sees_images_and_report(day, nurse)
    the_paediatric_ward_reads_and_so_it_is_delivered(day, seat(day.site.kiosk, "pediatrie"))
    everything_is_in_the_audit(day)
    everything_is_at_the_second_building(day)
    one_altered_byte_and_one_altered_row_are_found(day)


def the_his_admits_and_orders(day: Day) -> None:
    child = children(datetime.now(UTC).date())["aicha"]
    assert verdict(day.his.admits(day.hl7, child)) == ("AA", day.his.control_id)
    with day.witness.sees() as seen:
        answer = day.his.orders(day.hl7, child, "TDM-CRANE", "H77", "SCANNER1", "Trauma crânien, perte de connaissance")
        assert verdict(answer) == ("AA", day.his.control_id)
        (item,) = day.scanner.worklist(day.dicom)  # the first question after the answer
    assert (str(item.PatientName), item.PatientID) == ("OUÉDRAOGO^Aïcha", "CDG0012345")
    assert step_of(item).ScheduledProcedureStepStatus == "SCHEDULED"
    day.ct = day.witness.step(item.AccessionNumber)
    assert seen.of(day.ct) == [
        Deed("ORDER_RECEIVED", "REQUESTED", "SIH", "hl7 SIH@127.0.0.1"),
        Deed("SLOT_GIVEN", "SCHEDULED", "SIH", "hl7 SIH@127.0.0.1"),
    ]


def reception_notes_the_arrival_and_prints_the_label(day: Day, reception: Terminal) -> None:
    reception.press("ouedraogo")
    reception.wait_for("PREVU")
    with day.witness.sees() as seen:
        reception.press("f6")
        reception.wait_for("identité dite et vérifiée")
        reception.press("enter")
        reception.wait_for("Arrivé : OUÉDRAOGO Aïcha")
    assert seen.of(day.ct) == [Deed("PATIENT_ARRIVED", "ARRIVED", "accueil", "accueil-1")]
    (item,) = day.scanner.worklist(day.dicom)
    assert step_of(item).ScheduledProcedureStepStatus == "ARRIVED"
    reception.press("f7", "enter")
    reception.wait_for("Étiquette dans la file d'impression.")
    reception.press("f10", "f10", "i")
    reception.wait_for("FAIT")
    reception.press("f10")
    label = sheet(day, "etiquette")
    assert {"OUÉDRAOGO", "Aïcha", "CDG0012345"} <= set(paper.words(label, day.folder))
    assert {"CDG0012345", item.AccessionNumber} <= {content for _format, content in paper.codes(label, day.folder)}


def reception_registers_and_orders(day: Day, reception: Terminal) -> None:
    reception.wait_for("page 1/")
    reception.press("f2")
    reception.wait_for("Patient  Nouveau")
    reception.press("COMPAORÉ", "tab", "Noélie", "tab", "12/05/2022", "tab", "tab", "f", "f9")
    reception.wait_for("Ordre  COMPAORÉ Noélie")
    with day.witness.sees() as seen:
        reception.press("rx-thorax", "enter")
        reception.wait_for("proposé")
        reception.press("tab", "Dr SOMÉ", "tab", "ped", "tab", "toux depuis dix jours", "f9")
        reception.wait_for("Enregistré : demande")
    reception.press("f7")
    reception.wait_for("Convocation dans la file d'impression.")
    (day.rx,) = seen.deeds
    assert seen.of(day.rx) == [
        Deed("ORDER_RECEIVED", "REQUESTED", "accueil", "accueil-1"),
        Deed("SLOT_GIVEN", "SCHEDULED", "accueil", "accueil-1"),
    ]
    reception.press("f10")
    reception.wait_for("page 1/")
    reception.press("compaore")
    reception.wait_for("COMPAORÉ Noélie")
    with day.witness.sees() as seen:
        reception.press("f6", "enter")
        reception.wait_for("Arrivé : COMPAORÉ Noélie")
    assert seen.of(day.rx) == [Deed("PATIENT_ARRIVED", "ARRIVED", "accueil", "accueil-1")]


def the_scanner_scans(day: Day) -> None:
    (item,) = day.scanner.worklist(day.dicom)
    console = "dicom SCANNER1@127.0.0.1"
    with day.witness.sees() as seen:
        mpps = day.scanner.begins(day.dicom, item)
    assert seen.of(day.ct) == [Deed("ACQUISITION_STARTED", "STARTED", "dicom", console)]
    slices = ct_head(exam_of(item, mpps), slices=SLICES)
    with day.witness.sees() as seen:
        day.scanner.store(day.dicom, slices)
    assert seen.of(day.ct) == []
    with day.witness.sees() as seen:
        day.scanner.ends(day.dicom, mpps, slices, dose="PDL 301 mGy.cm")
    assert seen.of(day.ct) == [Deed("ACQUISITION_ENDED", "COMPLETED", "dicom", console)]
    study = day.witness.rows("SELECT match, instances, study_instance_uid FROM study WHERE step_id = ?", day.ct)
    assert study == [("matched", SLICES, item.StudyInstanceUID)]


def the_other_machines_send_what_nobody_expects(day: Day) -> None:
    """An ultrasound at the bedside that nobody ordered; a radiograph under a mistyped number."""
    bedside = Exam(
        "OUÉDRAOGO^Aïcha",
        "CDG0012345",
        None,
        "F",
        "",
        "2.25.20260727",
        datetime.now(),
        "Écho au lit",
        station_name="ECHO1",
    )
    day.echo.store(day.dicom, us_abdomen(bedside, images=2))
    (item,) = day.radiography.worklist(day.dicom)
    with day.witness.sees() as seen:
        day.radiography.store(day.dicom, dx_chest(exam_of(item, patient_id="CDG9999999")))
    assert seen.of(day.rx) == []
    found = dict(day.witness.rows("SELECT device, match FROM study"))
    assert found == {"SCANNER1": "matched", "ECHO1": "unscheduled", "RADIO1": "unreconciled"}


def the_technologist_verifies_the_scan(day: Day, technologist: Terminal) -> None:
    technologist.press("f10", "s")
    technologist.wait_for("SC1 Scanner")
    technologist.press("e")
    technologist.wait_for("YELEN Salle SC1")
    technologist.wait_for("PDL 301 mGy.cm")
    with day.witness.sees() as seen:
        technologist.press("f9")
        technologist.wait_for("OUÉDRAOGO Aïcha est à interpréter.")
    assert seen.of(day.ct) == [Deed("IMAGES_VERIFIED", "DUE", "manip", "salles")]


def the_technologist_attaches_the_radiograph(day: Day, technologist: Terminal) -> None:
    technologist.press("f3")
    technologist.wait_for("RX1 Radiographie")
    technologist.press("d")
    technologist.wait_for("NON RATTACHE")
    assert "COMPAORÉ Noélie" in technologist.text
    with day.witness.sees() as seen:
        technologist.press("f8")
        technologist.wait_for("Rattacher à COMPAORÉ Noélie")
        technologist.press("b")
        technologist.wait_for("Motif")
        technologist.press("numéro mal tapé sur la console", "enter")
        technologist.wait_for("Rattaché à COMPAORÉ Noélie.")
        technologist.press("f6")
        technologist.wait_for("F9 = images vérifiées")
        technologist.press("f9")
        technologist.wait_for("COMPAORÉ Noélie est à interpréter.")
    assert [(deed.event, deed.became, deed.who) for deed in seen.of(day.rx)] == [
        ("ACQUISITION_STARTED", "STARTED", "manip"),
        ("ACQUISITION_ENDED", "COMPLETED", "manip"),
        ("IMAGES_VERIFIED", "DUE", "manip"),
    ]


def the_radiologist_reads_and_tells_the_ward_at_once(day: Day, radiologist: Page) -> None:
    expect(radiologist.locator("h2").first).to_contain_text("Urgences")
    radiologist.click(f"#o{day.ct}")
    sees_a_picture(radiologist)
    expect(radiologist.locator("main")).to_contain_text("Écho au lit")  # the prior of this morning
    radiologist.hover("[data-picture]")
    radiologist.mouse.wheel(0, 100)
    expect(radiologist.locator("[data-count]")).to_have_text(f"2 / {SLICES}")
    sees_a_picture(radiologist)
    radiologist.click("text=Remplir les parties vides")
    expect(radiologist.locator("[name=technique]")).to_have_value("Acquisition hélicoïdale sans injection.")
    radiologist.fill("[name=findings]", "Lentille hyperdense temporale droite.\nPas d'engagement.")
    radiologist.fill("[name=conclusion]", HEMATOMA)
    radiologist.click("text=Provisoire au service")
    with day.witness.sees() as seen:
        radiologist.fill("[name=secret]", PIN)
        radiologist.click("text=Envoyer le provisoire")
        radiologist.wait_for_url(f"**/lecture/{day.ct}")
    assert [(deed.event, deed.became, deed.who) for deed in seen.of(day.ct)] == [
        ("PRELIMINARY_RELEASED", "DUE", "radiologue")
    ]
    preliminary = day.his.result()
    assert preliminary.extract_field("OBR", 0, 25) == "P"
    assert words(preliminary)["Mention"] == ["COMPTE RENDU PROVISOIRE – NON VALIDÉ"]


def the_emergency_ward_has_a_preliminary(day: Day, nurse: Page) -> None:
    expect(nurse.locator("h2").first).to_contain_text("À lire")
    nurse.click(f"#r{day.ct}")
    expect(nurse.locator("main")).to_contain_text("COMPTE RENDU PROVISOIRE – NON VALIDÉ")
    expect(nurse.locator("article")).to_contain_text(HEMATOMA)


def the_radiologist_signs(day: Day, radiologist: Page) -> None:
    radiologist.click("text=Vérifier et signer")
    expect(radiologist.locator("main")).to_contain_text(f"{SLICES} sur {SLICES} annoncées")
    expect(radiologist.locator("main")).to_contain_text("APERÇU")
    radiologist.check("[name=discordance][value=none]")
    with day.witness.sees() as seen:
        radiologist.fill("[name=secret]", PIN)
        radiologist.click("button:has-text('Signer')")
        expect(radiologist.locator("article .signed")).to_contain_text("Signé · Dr Salif TRAORÉ")
    signed = seen.of(day.ct)[0]
    assert (signed.event, signed.became, signed.who) == ("SIGNED", "SIGNED", "radiologue")
    radiologist.click("button:has-text('Imprimer')")
    expect(radiologist.locator("#impressions")).to_contain_text("fait", timeout=20_000)


def the_his_has_the_result(day: Day) -> None:
    result = day.his.result()
    assert result.extract_field("MSH", 0, 9, 0, 1) == "ORU"
    assert result.extract_field("PID", 0, 3, 0, 1) == "CDG0012345"
    assert result.extract_field("PID", 0, 5, 0, 1) == "OUÉDRAOGO"
    assert result.extract_field("ORC", 0, 2, 0, 1) == "H77"
    assert result.extract_field("OBR", 0, 4, 0, 1) == "TDM-CRANE"
    assert result.extract_field("OBR", 0, 25) == "F"
    said = words(result)
    assert said["Conclusion"] == [HEMATOMA]
    assert said["Résultat"] == ["Lentille hyperdense temporale droite.", "Pas d'engagement."]
    assert said["Indication"] == ["Trauma crânien, perte de connaissance"]


def the_report_came_out_on_paper(day: Day) -> None:
    text = " ".join(paper.words(sheet(day, "compte-rendu"), day.folder))
    for said in (HEMATOMA, "Pas d'engagement.", "OUÉDRAOGO", "CDG0012345", "Dr Salif TRAORÉ"):
        assert said in text


def the_radiologist_signs_the_radiograph(day: Day, radiologist: Page) -> None:
    radiologist.goto("/lecture")
    radiologist.click(f"#o{day.rx}")
    sees_a_picture(radiologist)
    radiologist.fill("[name=conclusion]", PNEUMONIA)
    radiologist.click("text=Vérifier et signer")
    with day.witness.sees() as seen:
        radiologist.fill("[name=secret]", PIN)
        radiologist.click("button:has-text('Signer')")
        expect(radiologist.locator("article")).to_contain_text(PNEUMONIA)
    assert [(deed.event, deed.became, deed.who) for deed in seen.of(day.rx)] == [
        ("SIGNED", "SIGNED", "radiologue"),
        ("SIGNED", "PENDING", "delivery"),
    ]


def the_emergency_ward_sees_images_and_report(day: Day, nurse: Page) -> None:
    nurse.goto("/")
    expect(nurse.locator("tr", has_text="OUÉDRAOGO Aïcha").locator(".state").first).to_have_text(
        "envoyé", timeout=20_000
    )
    nurse.click(f"#r{day.ct}")
    expect(nurse.locator("article")).to_contain_text(HEMATOMA)
    nurse.click(f"text=Voir {SLICES} images")
    sees_a_picture(nurse)
    last = day.witness.rows("SELECT event, became, actor FROM step_history WHERE step_id = ? ORDER BY id", day.ct)[-2:]
    assert last == [("SIGNED", "PENDING", "delivery"), ("DELIVERED", "DELIVERED", "delivery")]


def the_paediatric_ward_reads_and_so_it_is_delivered(day: Day, nurse: Page) -> None:
    expect(nurse.locator("h2").first).to_contain_text("À lire")
    with day.witness.sees() as seen:
        nurse.click(f"#r{day.rx}")
        expect(nurse.locator("article")).to_contain_text(PNEUMONIA)
        expect(nurse.locator("#lecture")).to_contain_text("Remis au service", timeout=20_000)
    assert [(deed.event, deed.became) for deed in seen.of(day.rx)] == [("DELIVERED", "DELIVERED")]
    read = "SELECT destination, who FROM delivery WHERE step_id = ? AND kind = 'kiosk' AND state = 'READ'"
    assert day.witness.rows(read, day.rx) == [("PED", "pediatrie")]


def everything_is_in_the_audit(day: Day) -> None:
    """Every step of both exams, with its author and its time; and no row of it was touched."""
    for exam in (day.ct, day.rx):
        history = "SELECT at, actor, lower(event) FROM step_history WHERE step_id = ? ORDER BY id"
        audited = "SELECT at, actor, action FROM audit WHERE object = ? AND action NOT IN ('open_report') ORDER BY seq"
        assert day.witness.rows(audited, f"step:{exam}") == day.witness.rows(history, exam)
    for act, who in (("login", "urgences"), ("attach_study", "manip"), ("print", "radiologue"), ("store", "dicom")):
        assert who in day.witness.authors(act)
    checked = yelen("audit", "verify", data=day.site.data)
    assert (checked.returncode, checked.stdout.split(":")[0]) == (0, "Audit intact ")


def everything_is_at_the_second_building(day: Day) -> None:
    day.site.until_the_copy_has_all()
    proof = yelen("replica", "verify", data=day.site.data)
    assert proof.returncode == 0, proof.stdout
    assert "Les deux bâtiments sont identiques." in proof.stdout
    assert tables(day.site.data) == tables(day.second.data)
    assert hashes(day.site.data) == hashes(day.second.data)
    assert len(hashes(day.second.data)) == SLICES + 3


def one_altered_byte_and_one_altered_row_are_found(day: Day) -> None:
    name = sorted(hashes(day.second.data))[0]
    forge_a_byte(day.second.data / name)
    found = yelen("replica", "verify", data=day.site.data)
    assert (found.returncode, f"fichier {name} : diffère (là-bas)" in found.stdout) == (1, True)
    assert hashes(day.site.data) != hashes(day.second.data)
    forge_a_byte(day.second.data / name)
    assert yelen("replica", "verify", data=day.site.data).returncode == 0
    forge_a_row(day.second.data, f"UPDATE step SET dose = 'PDL 3,01 mGy.cm' WHERE id = {day.ct}")
    found = yelen("replica", "verify", data=day.site.data)
    assert (found.returncode, f"ligne step {day.ct} : diffère" in found.stdout) == (1, True)
    assert tables(day.site.data) != tables(day.second.data)


def sheet(day: Day, kind: str) -> bytes:
    """The one sheet of this kind that lies in the printer's folder."""
    (found,) = day.site.paper.glob(f"*-{kind}.pdf")
    return found.read_bytes()
