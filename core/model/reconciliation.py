"""Does this object belong to this child? Pure decisions; a doubt is shown to people, never settled by software.

Two placeholder identities are never the same patient. A name contradicts when no word of it sounds like the other's.
"""

from __future__ import annotations

from core.i18n import _
from core.model.birth import Birth, from_dicom
from core.model.names import fold, phonetic_key, split_person_name
from core.model.patient import Demographics
from core.model.received import ReceivedHeader

_PLACEHOLDERS = frozenset({"NOID", "NAME", "NONE", "NONAME", "NOM", "XXX", "TEST", "PATIENT", "UNKNOWN", "INCONNU"})
_PLACEHOLDERS |= {"ANONYMOUS", "ANONYMIZED", "ANONYME", "EMERGENCY", "URGENCE"}


def is_placeholder(text: str) -> bool:
    """Empty, or only words that machines put where an identity is missing."""
    words = fold(text.replace("^", " ")).split()
    return not words or all(word in _PLACEHOLDERS for word in words)


def names_contradict(sent: str, known: Demographics) -> bool:
    """Whether no word of the PN sounds like any word of the known name; an empty name contradicts nobody."""
    family, given = split_person_name(sent)
    theirs = set(phonetic_key(f"{family} {given}").split())
    ours = set(phonetic_key(f"{known.family_name} {known.given_names} {known.usual_name}").split())
    return bool(theirs and ours) and theirs.isdisjoint(ours)


def contradiction(header: ReceivedHeader, known: Demographics) -> str:
    """Why the identity sent cannot be this patient's, in French; "" when nothing speaks against it."""
    if names_contradict(header.patient_name, known):
        return _("nom différent : « %s »") % header.patient_name.replace("^", " ").strip()
    sent_birth = from_dicom(header.patient_birth_date)
    if sent_birth.contradicts(known.birth) and _given_names_differ(header.patient_name, known):
        return _("naissance et prénom différents")
    if {header.patient_sex, known.sex} == {"F", "M"}:
        return _("sexe différent")
    return ""


def unlikeness(header: ReceivedHeader, known: Demographics) -> str:
    """Why images that only a number ties to this patient are not taken for theirs, in French; "" when they are.

    A family name is shared by thousands, and twins have neighbouring numbers: the given name must not be another.
    """
    if why := contradiction(header, known):
        return why
    given = set(phonetic_key(split_person_name(header.patient_name)[1]).split())
    theirs = set(phonetic_key(f"{known.given_names} {known.usual_name}").split())
    if given and theirs and given.isdisjoint(theirs):
        return _("prénom différent : « %s »") % header.patient_name.replace("^", " ").strip()
    return ""


def could_be_one(a: Demographics, b: Demographics) -> bool:
    """Whether two records can be of one child: one name within the other, birth and sex not against it."""
    ours = set(phonetic_key(f"{a.family_name} {a.given_names}").split())
    theirs = set(phonetic_key(f"{b.family_name} {b.given_names}").split())
    return (ours <= theirs or theirs <= ours) and not a.birth.contradicts(b.birth) and {a.sex, b.sex} != {"F", "M"}


def same_name(header: ReceivedHeader, known: Demographics) -> bool:
    """Whether every word of the name sounds the same, and birth and sex speak not against it."""
    ours = set(phonetic_key(f"{known.family_name} {known.given_names}").split())
    against = from_dicom(header.patient_birth_date).contradicts(known.birth) or {header.patient_sex, known.sex} == {
        "F",
        "M",
    }
    return bool(ours) and _sounds(header.patient_name) == ours and not against


def agrees(header: ReceivedHeader, known: Demographics) -> bool:
    """Whether name and birth say by themselves, without a number, that it is this patient: same name, same day."""
    born = from_dicom(header.patient_birth_date).exact
    return same_name(header, known) and born is not None and born == known.birth.exact


def _given_names_differ(sent: str, known: Demographics) -> bool:
    given = split_person_name(sent)[1]
    theirs, ours = set(phonetic_key(given).split()), set(phonetic_key(known.given_names).split())
    return not theirs or not ours or theirs.isdisjoint(ours)


def spelled_identity(header: ReceivedHeader) -> str:
    """What an object says of its patient beside the number, in one text that is compared as it stands."""
    said = (header.patient_name, header.patient_birth_date, header.patient_sex, header.issuer_of_patient_id)
    return "|".join((*said, *sorted(header.conflicting)))


def another_identity(header: ReceivedHeader, name: str, birth_date: str, sex: str, issuer: str) -> str:
    """Why an image is not of the patient of the study's first image, in French; "" when only the spelling differs.

    Stricter than `contradiction`: one machine takes the images of a study from one worklist line, and siblings share
    a family name. What is empty on either side says nothing.
    """
    if header.conflicting:
        return incoherence(header)
    if header.issuer_of_patient_id and issuer and header.issuer_of_patient_id != issuer:
        return _("autre établissement pour le même numéro : « %s »") % header.issuer_of_patient_id
    ours, theirs = _sounds(name), _sounds(header.patient_name)
    if ours and theirs and not (ours <= theirs or theirs <= ours):
        return _("autre nom dans la même étude : « %s »") % header.patient_name.replace("^", " ").strip()
    born, first = from_dicom(header.patient_birth_date), from_dicom(birth_date)
    if born.contradicts(first):
        return _("autre naissance dans la même étude : %s") % born.shown()
    if {header.patient_sex, sex} == {"F", "M"}:
        return _("autre sexe dans la même étude")
    return ""


def _sounds(name: str) -> set[str]:
    return set(phonetic_key(" ".join(split_person_name(name))).split())


def incoherence(header: ReceivedHeader) -> str:
    """Why an identity is not coherent in itself, in French; "" when id and name are present and single."""
    if header.conflicting:
        return _("deux valeurs différentes dans un même objet : %s") % ", ".join(sorted(header.conflicting))
    if is_placeholder(header.patient_id):
        return _("numéro de patient absent")
    if is_placeholder(header.patient_name):
        return _("nom de patient absent")
    return ""


def demographics_sent(header: ReceivedHeader) -> Demographics:
    """The patient as the object says, for a provisional record."""
    family, given = split_person_name(header.patient_name)
    sex = header.patient_sex if header.patient_sex in ("F", "M", "O") else ""
    return Demographics(family or header.patient_id, given, _birth(header), sex)


def _birth(header: ReceivedHeader) -> Birth:
    return from_dicom(header.patient_birth_date)
