"""The same form or call sent twice is done once; a key says nothing about another verb."""

from __future__ import annotations

from pathlib import Path

from core.index.tables import ImagingServiceRequest, Patient, PrintJob
from core.model.birth import on_day
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.printing import PaperKind
from core.services import Ports
from printers.pages.press import Press
from tests.people.hospital import MORNING, RECEPTION, hospital, site_config

AICHA = Demographics("Ouédraogo", "Aïcha", on_day(MORNING.date()), "F")
ISSA = Demographics("Zongo", "Issa", on_day(MORNING.date()), "M")


def test_a_key_of_a_registration_is_not_the_key_of_an_order(tmp_path: Path) -> None:
    """The number of a patient never passes for the number of an exam."""
    with hospital(tmp_path) as services:
        other = services.patients.register(RECEPTION, ISSA)
        exam = services.orders.place(RECEPTION, OrderDraft(other.id, "TDM-CRANE", "Dr T", "chute"))
        patient = services.patients.register(RECEPTION, AICHA, idempotency_key="k1")
        assert patient.id != exam.step_id
        draft = OrderDraft(patient.id, "RX-THORAX", "Dr SOME", "toux", idempotency_key="k1")
        line = services.orders.place(RECEPTION, draft)
        assert (line.patient_id, line.exam_code) == (patient.id, "RX-THORAX")
        assert services.orders.place(RECEPTION, draft).step_id == line.step_id
        assert services.patients.register(RECEPTION, AICHA, idempotency_key="k1").id == patient.id
        assert (Patient.select().count(), ImagingServiceRequest.select().count()) == (2, 2)


def test_a_key_of_a_label_is_not_the_key_of_a_wristband(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=Ports(pages=Press(site_config(tmp_path).site))) as services:
        patient = services.patients.register(RECEPTION, AICHA)
        step = services.orders.place(RECEPTION, OrderDraft(patient.id, "RX-THORAX", "Dr SOME", "toux")).step_id
        label = services.paper.print_label(RECEPTION, step, key="k1")
        assert services.paper.print_label(RECEPTION, step, key="k1").id == label.id
        band = services.paper.print_wristband(RECEPTION, step, key="k1")
        assert (label.paper, band.paper) == (PaperKind.LABEL, PaperKind.WRISTBAND)
        assert services.paper.print_wristband(RECEPTION, step, key="k1").id == band.id
        assert PrintJob.select().count() == 2
