"""Who a patient is, as an ADT says it: what changed, what is deleted, what cannot be believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from core.errors import BadMessage
from core.hl7 import adt
from core.hl7.sender import Sender
from core.hl7.tokenizer import read
from core.model.birth import UNKNOWN, Birth, Precision, in_month, in_year, on_day
from core.model.his import AdtFeed, AdtKind, PatientFeed
from core.model.identifiers import Identifier
from tests.hl7.ward import HIS, NOW, OUAGADOUGOU
from tests.hl7.ward import adt as message

TODAY = NOW.astimezone(OUAGADOUGOU)


def feed(event: str, *segments: str, sender: Sender = HIS) -> AdtFeed:
    return adt.feed(read(message(event, "1", *segments).encode()), sender, TODAY)


def patient(pid: str, pv1: str = "", sender: Sender = HIS) -> PatientFeed:
    [one] = feed("A08", pid, *([pv1] if pv1 else []), sender=sender).patients
    return one


def refusal(*segments: str, event: str = "A08", sender: Sender = HIS) -> str:
    with pytest.raises(BadMessage) as caught:
        feed(event, *segments, sender=sender)
    return caught.value.reason


@pytest.mark.parametrize(("event", "kind"), sorted(adt.EVENTS.items()))
def test_every_event_has_its_meaning(event: str, kind: AdtKind) -> None:
    segments = ["PID|||IP1^^^CDG"] + (["MRG|IP2^^^CDG"] if kind in (AdtKind.MERGE, AdtKind.CHANGE_ID) else [])
    assert feed(event, *segments).kind is kind


@pytest.mark.parametrize("event", ["Z99", "O01", "A24", "A43", "A44", "A18", "A30", "A34", ""])
def test_events_that_we_do_not_take_are_refused_by_name(event: str) -> None:
    assert refusal("PID|||IP1^^^CDG", event=event) == "unsupported-event MSH-1-9"


def test_a_child_with_everything() -> None:
    pid = (
        "PID|1||IP0001^^^CDG^PI~2266^^^ETAT^NI||OUÉDRAOGO^Aïssata^Awa^^^^L|SAWADOGO^Fati|20190315|F||"
        "|Secteur 12^^Ouagadougou^^^BFA||70112233^PRN~25112233||||||B123||M0009^^^CDG||Ouaga|Y|2||||20260701"
    )
    pv1 = "PV1|1|E|PED^12^3||||||||||||||||V77^^^CDG"
    assert patient(pid, pv1) == PatientFeed(
        principal=Identifier("IP0001", "CDG", "PI"),
        identifiers=(Identifier("IP0001", "CDG", "PI"), Identifier("2266", "ETAT", "NI")),
        family_name="OUÉDRAOGO",
        given_names="Aïssata Awa",
        birth=on_day(date(2019, 3, 15)),
        sex="F",
        mother_family_name="SAWADOGO",
        mother_given_names="Fati",
        mother_number="M0009",
        birth_order=2,
        phone="70112233",
        address="Secteur 12, Ouagadougou, BFA",
        national_id="B123",
        deceased_on=date(2026, 7, 1),
        visit_number="V77",
        patient_class="E",
        ward="PED",
        room="12",
        bed="3",
    )


def test_empty_says_nothing_and_two_quotes_delete() -> None:
    nothing = patient("PID|||IP1^^^CDG")
    assert (nothing.family_name, nothing.birth, nothing.sex, nothing.phone, nothing.ward) == (None,) * 5
    gone = patient('PID|||IP1^^^CDG||KABORÉ^Paul|""|""|""|||""||""', 'PV1|1|""|""')
    assert (gone.mother_family_name, gone.birth, gone.sex, gone.address, gone.phone) == ("", UNKNOWN, "", "", "")
    assert (gone.patient_class, gone.ward, gone.given_names) == ("", "", "Paul")


@pytest.mark.parametrize(
    ("written", "born"),
    [
        ("20190315", on_day(date(2019, 3, 15))),
        ("20190315102030+0100", on_day(date(2019, 3, 15))),
        ("201903", in_month(2019, 3)),
        ("2019", in_year(2019)),
        ("vers 2019", in_year(2019, Precision.ESTIMATED)),
        ("né vers 2019", in_year(2019, Precision.ESTIMATED)),
        ("15/03/2019", on_day(date(2019, 3, 15))),
        ("20260727", on_day(date(2026, 7, 27))),
    ],
)
def test_a_birth_date_is_an_interval(written: str, born: Birth) -> None:
    assert patient(f"PID|||IP1^^^CDG||A||{written}").birth == born


@pytest.mark.parametrize(
    "written",
    ["31022015", "20190230", "21900101", "20260728", "201913", "18500101", "bientôt", "2019031", "20190315+9999"],
)
def test_an_impossible_birth_date_is_refused_by_its_field(written: str) -> None:
    assert refusal(f"PID|||IP1^^^CDG||A||{written}") == "bad-date PID-1-7"


@pytest.mark.parametrize(("written", "sex"), [("F", "F"), ("m", "M"), ("O", "O"), ("A", "O"), ("N", "O"), ("U", None)])
def test_the_letters_of_table_0001(written: str, sex: str | None) -> None:
    assert patient(f"PID|||IP1^^^CDG||A|||{written}").sex == sex


def test_another_letter_is_refused_unless_the_sender_is_known_to_write_it() -> None:
    assert refusal("PID|||IP1^^^CDG||A|||Q") == "table-value PID-1-8"
    assert patient("PID|||IP1^^^CDG||A|||H", sender=replace(HIS, sexes={"H": "M"})).sex == "M"


def test_the_number_is_the_one_of_a_trusted_authority_not_the_first() -> None:
    assert patient("PID|||99^^^LABO~IP7^^^CDG").principal.value == "IP7"
    assert refusal("PID|||99^^^LABO") == "untrusted-authority PID-1-3"
    assert patient("PID|||0012").principal == Identifier("0012", "CDG", "PI")
    anyone = replace(HIS, authorities=())
    assert patient("PID|||99^^^LABO", sender=anyone).principal == Identifier("99", "LABO", "PI")
    assert patient("PID|||99^^^&1.2.3&ISO", sender=anyone).principal.authority == "1.2.3"


def test_without_patient_or_number_nothing_can_be_done() -> None:
    assert refusal("PV1|1|E") == "required-field PID-1-3"
    assert refusal("PID|||||A") == "required-field PID-1-3"
    assert refusal('PID|||""^^^CDG||A') == "required-field PID-1-3"


def test_names_are_joined_and_a_repeated_given_name_is_said_once() -> None:
    assert patient("PID|||1||DE&LA&ROCHE^Jean^Jean Paul").given_names == "Jean Paul"
    assert patient("PID|||1||SOW^DOMINIQUE^DOMINIQUE").given_names == "DOMINIQUE"
    assert patient("PID|||1||van&de^Piet").family_name == "van de"
    assert patient("PID|||1||X^Y^^^^^A~VRAI^Nom^^^^^L").family_name == "VRAI"


def test_a_name_whose_letters_were_lost_before_us_is_refused() -> None:
    assert refusal("PID|||1||OU\ufffdDRAOGO") == "charset PID-1-5"


def test_a_merge_names_who_goes_and_who_stays_for_each_pair() -> None:
    merged = feed("A40", "PID|||IP1^^^CDG||A", "MRG|IP2^^^CDG", "PID|||IP3^^^CDG||B", "PV1|1|I", "MRG|IP4^^^CDG")
    assert [(prior.value, survivor.principal.value) for prior, survivor in merged.merges] == [
        ("IP2", "IP1"), ("IP4", "IP3"),
    ]  # fmt: skip


def test_a_merge_needs_two_different_numbers_of_authorities_that_are_believed() -> None:
    assert refusal("PID|||IP1^^^CDG", "MRG|IP1^^^CDG", event="A40") == "duplicate-key MRG-1-1"
    assert refusal("PID|||IP1^^^CDG", event="A40") == "required-field MRG-1-1"
    assert refusal("PID|||IP1^^^CDG", "MRG|9^^^LABO", event="A40") == "untrusted-authority MRG-1-1"
    assert refusal("MRG|IP1^^^CDG", event="A40") == "required-field PID-1-3"


def test_old_merge_events_count_where_the_sender_uses_them() -> None:
    segments = ("PID|||IP1^^^CDG", "MRG|IP2^^^CDG")
    assert feed("A18", *segments, sender=replace(HIS, legacy_merge=True)).kind is AdtKind.MERGE


def test_what_a_person_must_look_at_is_said() -> None:
    assert "fusion" in adt.warnings(feed("A37", "PID|||IP1^^^CDG"))[0]
    assert adt.warnings(feed("A08", "PID|||IP1^^^CDG")) == ()
