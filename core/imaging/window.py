"""A window centre and width, and the presets that a person may choose by name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.i18n import _

LINEAR = "LINEAR"
LINEAR_EXACT = "LINEAR_EXACT"
SIGMOID = "SIGMOID"


class Window(msgspec.Struct, frozen=True):
    """Centre and width in the unit of the modality values (HU for CT).

    function: (0028,1056) VOI LUT Function. Source: PS3.3 C.11.2.1.2.
    """

    center: float
    width: float
    function: str = LINEAR

    @property
    def usable(self) -> bool:
        """LINEAR needs a width of at least 1, the others more than 0. Source: PS3.3 C.11.2.1.2.1, C.11.2.1.3."""
        return self.width >= 1 if self.function == LINEAR else self.width > 0


CT_WINDOWS: Mapping[str, Window] = {
    "brain": Window(40, 80),
    "infant_brain": Window(30, 60),
    "subdural": Window(75, 215),
    "bone": Window(500, 2000),
    "lung": Window(-600, 1500),
    "mediastinum": Window(40, 400),
    "abdomen": Window(50, 350),
    "liver": Window(80, 150),
    "spine": Window(50, 350),
    "angiography": Window(200, 600),
}
"""Hounsfield units. Customary values, chosen here; a department may prefer its own."""

_CT_BY_BODY_PART: Mapping[str, tuple[str, ...]] = {
    "HEAD": ("brain", "infant_brain", "subdural", "bone"),
    "BRAIN": ("brain", "infant_brain", "subdural", "bone"),
    "SKULL": ("bone", "brain"),
    "SINUS": ("bone", "brain"),
    "CHEST": ("mediastinum", "lung", "bone", "angiography"),
    "LUNG": ("lung", "mediastinum", "bone"),
    "ABDOMEN": ("abdomen", "liver", "lung", "bone"),
    "PELVIS": ("abdomen", "bone"),
    "SPINE": ("bone", "spine"),
}
_CT_ANYWHERE = ("mediastinum", "brain", "lung", "bone")


def preset_label(name: str) -> str:
    """The preset's name as a person reads it."""
    return {
        "brain": _("Cerveau"),
        "infant_brain": _("Cerveau du nourrisson"),
        "subdural": _("Sous-dural"),
        "bone": _("Os"),
        "lung": _("Poumon"),
        "mediastinum": _("Médiastin"),
        "abdomen": _("Abdomen"),
        "liver": _("Foie"),
        "spine": _("Rachis"),
        "angiography": _("Vaisseaux"),
    }[name]


def presets(modality: str, body_part: str = "") -> dict[str, Window]:
    """The windows offered for a modality and a body part (0018,0015), the likeliest first; none outside CT.

    Grey levels of MR, ultrasound and radiographs have no common unit: their windows come with the file.
    """
    if modality != "CT":
        return {}
    part = body_part.upper()
    names = next((names for key, names in _CT_BY_BODY_PART.items() if key in part), _CT_ANYWHERE)
    return {name: CT_WINDOWS[name] for name in names}
