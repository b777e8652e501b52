"""What arrives from machines: the facts of one DICOM object, as its header says them.

Nothing here is corrected: the patient *as sent* stays as sent for ever, whatever the index later believes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.model.rejection import RejectionNote


class Reason(StrEnum):
    """Why bytes are kept in quarantine, outside the archive."""

    MISSING_UID = "missing-uid"
    UID_INVALID = "uid-invalid"
    UID_MISMATCH = "uid-mismatch"
    DUPLICATE_CONFLICT = "duplicate-uid-different-content"
    UNKNOWN_CALLER = "unknown-caller"
    TRUNCATED = "truncated"
    TOO_DEEP = "too-deep"
    BAD_STRUCTURE = "bad-structure"
    NO_META = "no-meta"
    NO_TRANSFER_SYNTAX = "no-transfer-syntax"
    BOMB = "bomb"
    NOT_AN_INSTANCE = "not-an-instance"
    REJECTED_AGAIN = "rejected-again"


REASON_SENTENCES: dict[Reason, str] = {
    Reason.MISSING_UID: "identifiants DICOM absents (étude, série ou image)",
    Reason.UID_INVALID: "identifiant DICOM interdit (longueur, caractères)",
    Reason.UID_MISMATCH: "la commande et l'image ne désignent pas le même objet",
    Reason.DUPLICATE_CONFLICT: "même identifiant d'image, contenu différent",
    Reason.UNKNOWN_CALLER: "machine inconnue",
    Reason.TRUNCATED: "fichier tronqué",
    Reason.TOO_DEEP: "structure illisible (trop de niveaux)",
    Reason.BAD_STRUCTURE: "structure illisible",
    Reason.NO_META: "en-tête de fichier absent",
    Reason.NO_TRANSFER_SYNTAX: "syntaxe de transfert inconnue",
    Reason.BOMB: "contenu qui gonfle démesurément",
    Reason.NOT_AN_INSTANCE: "répertoire de support ou objet sans classe, pas une image",
    Reason.REJECTED_AGAIN: "image déjà rejetée",
}


@dataclass(frozen=True, slots=True)
class ReceivedHeader:
    """The elements of one object that the index needs at once (domain: header walk). Text is Unicode, NFC, trimmed.

    Dates and times are DICOM spellings (`YYYYMMDD`, `HHMMSS…`), "" when absent. Numbers are None when absent or
    not numeric. `conflicting` holds keywords of identity elements present twice with different values;
    `charset_suspect` says that a text had to be guessed.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""  # PN, family^given^middle^prefix^suffix
    patient_birth_date: str = ""
    patient_sex: str = ""
    patient_age: str = ""  # AS, such as 003Y
    patient_weight: float | None = None  # kg
    accession_number: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    referring_physician: str = ""
    institution: str = ""
    modality: str = ""
    series_number: int | None = None
    series_description: str = ""
    series_date: str = ""
    series_time: str = ""
    body_part: str = ""
    laterality: str = ""
    station_name: str = ""
    protocol_name: str = ""
    step_id: str = ""  # (0040,0275) > (0040,0009) when the walk reaches it
    instance_number: int | None = None
    image_type: str = ""
    content_date: str = ""
    content_time: str = ""
    created_date: str = ""  # (0008,0012)
    created_time: str = ""
    rows: int | None = None
    columns: int | None = None
    number_of_frames: int | None = None
    conflicting: frozenset[str] = field(default_factory=frozenset)
    charset_suspect: bool = False
    incomplete: bool = False  # pixel data shorter than declared


@dataclass(frozen=True, slots=True)
class Sender:
    """The machine on the other end: calling AE, address, and whether it is a declared device."""

    ae_title: str
    address: str
    known: bool
    association: str = ""
    found_again: bool = False  # by a start or a reindex: nobody sends it now


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """Of a file that this program compressed without loss: what it was made from.

    file_sha256: of the file as received. dataset_sha256: of its data set, as the machine sent it, in `transfer_syntax`.
    """

    file_sha256: str
    dataset_sha256: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One object at the door: its own identifiers as the command or the file meta say, its bytes, its header.

    dataset: the data set exactly as received, without preamble and file meta, in `transfer_syntax`.
    rejects: the note in this object, when it is one that may take effect.
    spooled: path of a file holding the same bytes when the object was too big for memory; `dataset` is then empty.
    header: None when the walk failed; `refusal` then says why.
    made_from: only ever of a file of our own archive.
    set_aside: read again from quarantine: refused once more it is written nowhere, and nobody has sent it again.
    """

    sender: Sender
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    dataset: bytes | bytearray | memoryview
    header: ReceivedHeader | None
    refusal: Reason | None = None
    refusal_detail: str = ""
    spooled: str = ""
    rejects: RejectionNote | None = None
    made_from: MadeFrom | None = None
    set_aside: bool = False


class Stored(StrEnum):
    """What became of an object."""

    ARCHIVED = "archived"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What the archive did with an arrival. `reason` is set when it was quarantined."""

    what: Stored
    reason: Reason | None = None
    detail: str = ""
    study_id: int | None = None
    step_id: int | None = None
    unreconciled: bool = False
    damaged: str = ""  # the file of the archive that this object showed to be altered or lost
