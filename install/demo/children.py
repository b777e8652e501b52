"""The children of the demo hospital: none of them exists. Twins, a newborn, an estimated birth, accents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Child:
    """A patient as the HIS knows it. born: HL7 PID-7 spelling (`YYYY`, `YYYYMM` or `YYYYMMDD`)."""

    number: str
    family: str
    given: str
    born: str
    sex: str
    mother: str = ""
    phone: str = ""
    ward: str = "PED"
    mother_number: str = ""
    birth_order: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """An exam of the day. minute: of the demo's day; comes: whether the demo's reception notes the arrival itself."""

    child: Child
    exam: str
    label: str
    modality: str
    station: str
    minute: int
    indication: str
    prescriber: str
    urgency: str = "R"
    comes: bool = True


def children(today: date) -> dict[str, Child]:
    """By a short name. Ages follow the day, so that the newborn stays one."""

    def born(days: int) -> str:
        return f"{today - timedelta(days=days):%Y%m%d}"

    mother = "SAWADOGO^Mariam"
    return {
        "aicha": Child("CDG0012345", "OUÉDRAOGO", "Aïcha", born(1660), "F", "SAWADOGO^Mariam", "70123456", "URG"),
        "moussa": Child("CDG0012399", "SAWADOGO", "Moussa", born(340), "M", "KINDA^Salamata", "76001122", "URG"),
        "fatou": Child("CDG0009981", "KABORÉ", "Fatou", born(3400), "F", "TAPSOBA^Awa", "70224466"),
        "rasmane": Child("CDG0012401", "ZONGO", "Rasmané", born(5200), "M", "ILBOUDO^Odette", "71998877"),
        "newborn": Child(
            "CDG0012402", "COMPAORÉ", "BEBE DE Aminata", born(2), "F", "COMPAORÉ^Aminata", "72334455", "NEO"
        ),
        "twin1": Child(
            "CDG0012410", "KIENDRÉBÉOGO", "Wendpanga", born(780), "M", mother, "75112233", "PED", "CDG0008001", "1"
        ),
        "twin2": Child(
            "CDG0012411", "KIENDRÉBÉOGO", "Wendkuuni", born(780), "M", mother, "75112233", "PED", "CDG0008001", "2"
        ),
        "about": Child("CDG0007020", "TRAORÉ", "Issouf", f"{today.year - 7}", "M", "COULIBALY^Bintou", "78665544"),
        "apostrophe": Child("CDG0012450", "N'DIAYE", "Marième", born(2500), "F", "FALL^Khady", "70998811", "URG"),
        "yacouba": Child("CDG0012460", "NIKIÈMA", "Yacouba", born(4100), "M", "YAMÉOGO^Rasmata", "79001100"),
    }


def visits(today: date) -> tuple[Visit, ...]:
    """The day, in order of the hour."""
    c = children(today)
    return (
        Visit(
            c["moussa"],
            "RX-THORAX",
            "RX THORAX F",
            "DX",
            "RADIO1",
            1,
            "toux fébrile depuis 4 jours",
            "DIALLO^Fatou",
            "A",
        ),
        Visit(
            c["aicha"],
            "TDM-CRANE",
            "TDM CRANE C-",
            "CT",
            "SCANNER1",
            2,
            "trauma crânien, perte de connaissance",
            "TRAORÉ^Issa",
            "S",
        ),
        Visit(c["fatou"], "ECHO-ABDO", "ECHO ABDO", "US", "ECHO1", 4, "douleurs abdominales", "ZONGO^Paul"),
        Visit(
            c["newborn"], "RX-THORAX", "RX THORAX F", "DX", "RADIO1", 8, "détresse respiratoire", "OUATTARA^Léa", "S"
        ),
        Visit(c["twin1"], "RX-THORAX", "RX THORAX F", "DX", "RADIO1", 14, "toux, contage tuberculeux", "ZONGO^Paul"),
        Visit(c["twin2"], "RX-THORAX", "RX THORAX F", "DX", "RADIO1", 18, "toux, contage tuberculeux", "ZONGO^Paul"),
        Visit(
            c["about"],
            "TDM-CRANE",
            "TDM CRANE C-",
            "CT",
            "SCANNER1",
            25,
            "céphalées et vomissements",
            "DIALLO^Fatou",
            "A",
        ),
        Visit(c["apostrophe"], "ECHO-ABDO", "ECHO ABDO", "US", "ECHO1", 35, "hépatomégalie", "TRAORÉ^Issa", "R", False),
        Visit(
            c["rasmane"], "TDM-ABDO", "TDM ABDO C+", "CT", "SCANNER1", 50, "masse abdominale", "ZONGO^Paul", "R", False
        ),
        Visit(
            c["yacouba"],
            "RX-THORAX",
            "RX THORAX F",
            "DX",
            "RADIO1",
            60,
            "bilan avant anesthésie",
            "OUATTARA^Léa",
            "R",
            False,
        ),
    )
