"""What an order asks: the table of ORC-1 and ORC-5, and the fields that become an exam."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.errors import BadMessage
from core.hl7 import orders, prescan
from core.hl7.sender import Sender
from core.hl7.tokenizer import read
from core.model.his import OrderAct, OrderedStep, OrderFeed
from tests import skips
from tests.hl7.ward import HIS, NOW, OUAGADOUGOU, orm

TODAY = NOW.astimezone(OUAGADOUGOU)
A = OrderAct


def feeds(*segments: str, sender: Sender = HIS) -> tuple[OrderFeed, ...]:
    return orders.feeds(read(orm("1", *segments).encode()), sender, TODAY)


def one(*segments: str, sender: Sender = HIS) -> OrderFeed:
    [only] = feeds(*segments, sender=sender)
    return only


def step(*segments: str, sender: Sender = HIS) -> OrderedStep:
    [only] = one(*segments, sender=sender).steps
    return only


STATUSES = ["", "SC", "IP", "HD", "CM", "A", "CA", "DC", "ER", "RP"]
ANY = {
    "NW": (A.NEW,), "SN": (A.NEW,), "XO": (A.CHANGE,), "RP": (A.CHANGE,), "XX": (A.CHANGE,), "CA": (A.CANCEL,),
    "OC": (A.CANCEL,), "DC": (A.DISCONTINUE,), "OD": (A.DISCONTINUE,), "HD": (A.SUSPEND,), "RL": (A.RELEASE,),
}  # fmt: skip
SPECIAL = {
    ("NW", "HD"): (A.NEW, A.SUSPEND), ("SN", "HD"): (A.NEW, A.SUSPEND), ("SC", ""): (A.NOTE,), ("SC", "IP"): (A.NOTE,),
    **{(control, status): (A.IGNORED,) for control in ("NW", "XO", "SC") for status in ("CM", "A")},
}  # fmt: skip
CONTROLS = [*ANY, "SC", "PA", "CH", "NA", "SS", "OK", "OR", "RE", "UC"]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_cell_of_the_table(control: str, status: str) -> None:
    expected = SPECIAL.get((control, status), ANY.get(control, (A.IGNORED,)))
    assert tuple(f.act for f in feeds(f"ORC|{control}|D1|||{status}", "OBR|1|D1||THX^Thorax")) == expected


def test_a_new_order_with_everything() -> None:
    feed = one(
        "ORC|nw|D77^SIH|F1|G1|SC||^^^20260728103000^^S|||||12^KABORÉ^Salif|PED||||ORG^Hôpital",
        "OBR|1|D77^SIH|F1|THX^Thorax de face^L^RXT^Protocole thorax"
        "|||||||||Toux|||||A26-1|RP9|ST9||||DX|||||||W^Fièvre",
        "OBX|1|NM|29463-7^Body weight^LN||14,5|kg",
        "NTE|1||à jeun~depuis minuit",
        "ZDS|1.2.840.1^SIH^Application^DICOM",
    )
    assert feed == OrderFeed(
        act=A.NEW,
        control="NW",
        placer_number="D77",
        placer_authority="SIH",
        filler_number="F1",
        prescriber="KABORÉ Salif",
        ward="PED",
        indication="Fièvre\nToux",
        urgency="S",
        comment="à jeun\ndepuis minuit",
        weight_kg=14.5,
        steps=(
            OrderedStep(
                exam_code="THX",
                exam_label="Thorax de face",
                modality="DX",
                scheduled_at=datetime(2026, 7, 28, 10, 30, tzinfo=UTC),
                step_id="ST9",
                requested_procedure_id="RP9",
                accession_number="A26-1",
                study_instance_uid="1.2.840.1",
                protocol="Protocole thorax",
            ),
        ),
    )


def test_the_planned_time_comes_from_tq1_then_orc_then_obr() -> None:
    orc, obr = "ORC|NW|D1|||||^^^20260728", "OBR|1|D1||THX|||||||||||||||||||||||^^^20260729"
    assert step(orc, "TQ1|1||||||20260727140000", obr).scheduled_at == datetime(2026, 7, 27, 14, tzinfo=UTC)
    assert step(orc, obr).scheduled_at == datetime(2026, 7, 28, tzinfo=UTC)
    assert step("ORC|NW|D1", obr).scheduled_at == datetime(2026, 7, 29, tzinfo=UTC)
    assert step("ORC|NW|D1", "OBR|1|D1||THX").scheduled_at is None


def test_an_offset_is_honoured_and_a_naive_time_is_the_site_s_own() -> None:
    assert step("ORC|NW|D1|||||^^^202607281000+0200", "OBR|1").scheduled_at == datetime(2026, 7, 28, 8, tzinfo=UTC)


def test_an_impossible_time_is_refused_for_a_new_order_and_stops_no_cancellation() -> None:
    with pytest.raises(BadMessage) as caught:
        one("ORC|NW|D1|||||^^^20260732", "OBR|1")
    assert caught.value.reason == "bad-date ORC-1-7"
    assert one("ORC|CA|D1|||||^^^20260732", "OBR|1").act is A.CANCEL


def test_one_ipc_is_one_exam() -> None:
    found = one(
        "ORC|NW|D1",
        "OBR|1|D1||TDMC^Scanner du crâne",
        "IPC|A1|RP1|1.2.3|S1|CT|P1^Crâne sans injection|SCAN1|S2^Salle 2|CT_AE",
        "IPC|A1|RP1|pas-un-uid|S2|CT",
        "ZDS|1.2.9",
    ).steps
    assert [(s.step_id, s.study_instance_uid, s.station_ae, s.room, s.protocol) for s in found] == [
        ("S1", "1.2.3", "CT_AE", "Salle 2", "Crâne sans injection"),
        ("S2", "1.2.9", "", "", ""),
    ]
    assert {(s.exam_code, s.accession_number, s.modality) for s in found} == {("TDMC", "A1", "CT")}


def test_one_obr_without_ipc_is_one_exam_and_each_orc_one_order() -> None:
    first, second = feeds("ORC|NW|D1", "OBR|1||| A^a", "OBR|2|||B^b", "ORC|NW|D2", "OBR|1|||C^c")
    assert [s.exam_code for s in first.steps] == ["A", "B"]
    assert ([s.exam_code for s in second.steps], second.placer_number) == (["C"], "D2")


def test_an_obr_without_orc_is_a_new_order() -> None:
    feed = one("OBR|1|D5^SIH||THX^Thorax")
    assert (feed.act, feed.placer_number, feed.placer_authority) == (A.NEW, "D5", "SIH")


def test_the_placer_s_authority_is_the_sending_application_when_none_is_said() -> None:
    assert one("ORC|NW|D1", "OBR|1").placer_authority == "SIH"
    assert one("ORC|NW|D1^^1.2.250^ISO", "OBR|1").placer_authority == "1.2.250"


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (("ORC||D1", "OBR|1"), "required-field ORC-1-1"),
        (("ORC|NW", "OBR|1"), "required-field ORC-1-2"),
        (("NTE|1||rien",), "required-field ORC-1-1"),
    ],
)
def test_an_order_without_its_number_or_its_verb_is_refused(segments: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        feeds(*segments)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("orc7", "letter"),
    [
        ("^^^^^S", "S"),
        ("^^^^^stat", "S"),
        ("^^^^^URGENT", "A"),
        ("^^^^^R", "R"),
        ("^^^^^RequestedPriority", None),
        ("", None),
    ],
)
def test_urgency_is_a_letter(orc7: str, letter: str | None) -> None:
    assert one(f"ORC|NW|D1|||||{orc7}", "OBR|1").urgency == letter


@pytest.mark.parametrize(
    ("obx", "kg"),
    [
        ("OBX|1|NM|29463-7||3500|g", 3.5),
        ("OBX|1|ST|^Body Weight||14|kg", 14.0),
        ("OBX|1|NM|3141-9||nan|kg", None),
        ("OBX|1|NM|3141-9||14|lb", None),
        ("OBX|1|NM|8302-2||110|cm", None),
        ("OBX|1|NM|3141-9||4000|kg", None),
    ],
)
def test_weight_is_in_kilograms_or_nothing(obx: str, kg: float | None) -> None:
    assert one("ORC|NW|D1", "OBR|1", obx).weight_kg == kg


def test_a_study_uid_that_is_none_is_left_to_us_with_a_warning() -> None:
    message = read(orm("1", "ORC|NW|D1", "OBR|1", "ZDS|pas un uid").encode())
    found = orders.feeds(message, HIS, TODAY)
    assert found[0].steps[0].study_instance_uid == ""
    assert "ZDS-1" in orders.warnings(message, found)[0]


def test_a_sender_may_code_its_exams_in_the_alternate_components() -> None:
    obr = "OBR|1|||24627-2^CT Chest^LN^TDMT^Scanner du thorax^L"
    assert step("ORC|NW|D1", obr).exam_code == "24627-2"
    local = step("ORC|NW|D1", obr, sender=replace(HIS, local_code=True))
    assert (local.exam_code, local.exam_label, local.protocol) == ("TDMT", "Scanner du thorax", "CT Chest")
    assert step("ORC|NW|D1", "OBR|1|||^^^TDMT^Scanner").exam_code == "TDMT"


@skips.needs_corpus
@pytest.mark.corpus
def test_the_french_tele_radiology_order() -> None:
    """ANS `TLR` flow 1: NW with an empty ORC-5, modality, weight and commentary as observations."""
    folder = skips.corpus()
    assert folder is not None
    [raw] = prescan.messages((folder / "hl7/interop-ig-hl7v2-teleradiologie__flux1.hl7").read_bytes())
    [feed] = orders.feeds(read(raw), Sender("ANS"), TODAY)
    assert (feed.act, feed.placer_number, feed.placer_authority) == (A.NEW, "OPN101", "1.2.250.1.748.12345678.12")
    assert (feed.prescriber, feed.indication, feed.weight_kg) == ("HODA Adam", "JustificationDemande", 68.0)
    assert feed.comment == "Commentaire sur la finalité de l'examen\nCommentaire sur la modalité"
    assert (feed.steps[0].modality, feed.steps[0].exam_code) == ("MR", "TRANSMISSION_DEMANDE")


@skips.needs_corpus
@pytest.mark.corpus
def test_an_omi_with_a_wrong_character_set_and_its_study_uid_in_zds() -> None:
    folder = skips.corpus()
    assert folder is not None
    [raw] = prescan.messages((folder / "hl7/dcm4che__ORM^O01-GeneralOrder.hl7").read_bytes())
    message = read(raw)
    [feed] = orders.feeds(message, Sender("MESA"), TODAY)
    assert message.suspect
    assert "score from 12 –35." in (feed.indication or "")
    assert feed.steps[0].study_instance_uid == "1.2.392.200036.9125.0.198811291108.7"
    assert (feed.weight_kg, feed.steps[0].accession_number) == (65.0, "AccessionNumber")
