"""A patient: identifiers with their issuers, names, an interval of birth dates, a mother. People decide who is who.

Software proposes duplicates with reasons (`core.model.duplicates`); it never merges.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from core.errors import BadInput
from core.i18n import _
from core.model.birth import UNKNOWN, Birth, age_at
from core.model.identifiers import Identifier
from core.model.names import clean, display_name, person_name

SEXES = ("F", "M", "O", "")


@dataclass(frozen=True, slots=True)
class Demographics:
    """What people say about a patient, before any number is issued."""

    family_name: str
    given_names: str = ""
    birth: Birth = UNKNOWN
    sex: str = ""  # F, M, O or "" (DICOM 0010,0040 spelling)
    usual_name: str = ""
    mother_family_name: str = ""
    mother_given_names: str = ""
    mother_number: str = ""  # the mother's own patient number, for newborns
    birth_order: int | None = None  # rank of a twin
    guardian_phone: str = ""
    address: str = ""
    national_id: str = ""

    def cleaned(self) -> Demographics:
        """Trimmed and NFC. Raises `BadInput` without a family name or with an unknown sex."""
        tidy = replace(
            self,
            family_name=clean(self.family_name),
            given_names=clean(self.given_names),
            usual_name=clean(self.usual_name),
            mother_family_name=clean(self.mother_family_name),
            mother_given_names=clean(self.mother_given_names),
            guardian_phone=clean(self.guardian_phone),
            address=clean(self.address),
            national_id=clean(self.national_id),
            sex=self.sex.strip().upper().replace("I", "O"),
        )
        if not tidy.family_name:
            raise BadInput(_("Le nom de famille manque."), "family_name")
        if tidy.sex not in SEXES:
            raise BadInput(_("Sexe : F, M ou I (indéterminé)."), "sex")
        return tidy


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient of the index. `number` is the hospital's principal number (IPP); `merged_into` makes an alias."""

    id: int
    number: str
    demographics: Demographics
    identifiers: tuple[Identifier, ...] = ()
    provisional: bool = False
    merged_into: int | None = None
    ward: str = ""
    last_exam_at: datetime | None = None
    deceased_on: date | None = None

    @property
    def name(self) -> str:
        return display_name(self.demographics.family_name, self.demographics.given_names)

    @property
    def dicom_name(self) -> str:
        return person_name(self.demographics.family_name, self.demographics.given_names)

    @property
    def mother(self) -> str:
        return display_name(self.demographics.mother_family_name, self.demographics.mother_given_names)

    def age_long(self, today: date) -> str:
        age = age_at(self.demographics.birth, today)
        return age.long() if age else _("âge inconnu")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient who may be the one being typed: a score from 0 to 1 and the reasons, in French words."""

    patient: Patient
    score: float
    reasons: tuple[str, ...] = field(default=())
