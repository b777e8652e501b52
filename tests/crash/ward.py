"""The little hospital of the kill test: children, orders and images made anew for every round."""

from __future__ import annotations

from datetime import UTC, datetime

from core.model.birth import in_year
from core.model.patient import Demographics
from install.demo.children import Child, Visit
from install.demo.messages import admission, order
from tests.people.images import dataset, encoded

BIG = 20_000_000  # bytes of pixels: half of it is above what the door keeps in memory


def child(number: int) -> Child:
    return Child(f"CDG{number:07d}", "SAWADOGO", f"Rasmata{number}", "20210314", "F", ward="URG")


def stranger(number: int) -> Demographics:
    """A child that reception writes down without the HIS."""
    return Demographics(f"KINDA{number}", "Inscrite", in_year(2015), "F")


def admitted(who: Child) -> tuple[str, bytes]:
    """(MSH-10, ADT^A04)."""
    control_id = f"A{who.number}"
    return control_id, _numbered(admission(who, "", datetime.now(UTC)), control_id)


def ordered(who: Child, exam: int, minutes: int) -> tuple[str, bytes]:
    """(MSH-10, ORM NW) of the exam number `exam`, on the radiography machine."""
    control_id = f"O{who.number}-{exam}"
    visit = Visit(who, "RX-THORAX", "RX THORAX F", "DX", "RADIO1", minutes, "toux", "ZONGO^Paul")
    return control_id, _numbered(order(visit, int(who.number[3:]) * 10 + exam, "", datetime.now(UTC)), control_id)


def image(who: Child, study: str, uid: str, big: bool = False) -> bytes:
    whose = {"patient_id": who.number, "name": f"{who.family}^{who.given}"}
    made = dataset(uid, study, **whose, PatientBirthDate=who.born, PatientSex=who.sex, Modality="DX")
    if big:
        made.Rows, made.Columns, made.PixelData = 4000, 2500, bytes(BIG)
    return encoded(made)


def _numbered(message: bytes, control_id: str) -> bytes:
    return message.replace(b"||P|2.5", f"|{control_id}|P|2.5".encode(), 1)
