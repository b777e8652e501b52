"""Who acts: people with roles, and the machines and timers that act without a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.i18n import _


class Role(StrEnum):
    """What a person may be at the hospital; one person may be several."""

    RECEPTION = "AC"
    TYPIST = "DA"  # reception with the right « dactylographie »
    TECHNOLOGIST = "MR"
    LEAD_TECHNOLOGIST = "CA"
    RESIDENT = "RJ"
    RADIOLOGIST = "RS"
    CLINICIAN = "CL"
    CASHIER = "CX"
    IDENTITY_OFFICER = "IV"
    DIRECTOR = "DI"
    DIM_PHYSICIAN = "DM"
    ADMINISTRATOR = "AD"
    SYSTEM = "SYS"


def role_word(role: Role) -> str:
    """What a person is here, in French, beside their name."""
    return {
        Role.RECEPTION: _("accueil"),
        Role.TYPIST: _("secrétariat"),
        Role.TECHNOLOGIST: _("manipulateur"),
        Role.LEAD_TECHNOLOGIST: _("cadre"),
        Role.RESIDENT: _("interne"),
        Role.RADIOLOGIST: _("radiologue"),
        Role.CLINICIAN: _("clinicien"),
        Role.CASHIER: _("caisse"),
        Role.IDENTITY_OFFICER: _("identitovigilance"),
        Role.DIRECTOR: _("directeur"),
        Role.DIM_PHYSICIAN: _("médecin DIM"),
        Role.ADMINISTRATOR: _("administrateur"),
        Role.SYSTEM: _("système"),
    }[role]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does an act, from where: the first argument of every verb, and a column of every audit row.

    origin: what the door knows for certain, such as `rpc uid=1001`, `kiosk 10.0.0.7` or `dicom CT1@10.0.0.9`.
    """

    name: str
    roles: frozenset[Role]
    post: str = ""
    ward: str = ""
    origin: str = ""
    full_name: str = ""

    def is_any(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)

    @staticmethod
    def system(name: str, origin: str = "") -> Actor:
        """A door, a timer or a machine that acts by itself."""
        return Actor(name, frozenset({Role.SYSTEM}), origin=origin)


@dataclass(frozen=True, slots=True)
class User:
    """An account. Passwords and PINs are kept as argon2 hashes in the index and never leave it."""

    login: str
    full_name: str
    roles: frozenset[Role]
    ward: str = ""
    active: bool = True
    has_pin: bool = field(default=False)
