"""What this box speaks: SOP classes, transfer syntaxes and their order.

The conformance statement is made from these tables.
"""

from __future__ import annotations

from typing import Final

from core.model.identifiers import is_uid

VERIFICATION: Final = "1.2.840.10008.1.1"
MODALITY_WORKLIST_FIND: Final = "1.2.840.10008.5.1.4.31"
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
PERFORMED_PROCEDURE_STEP: Final = "1.2.840.10008.3.1.2.3.3"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"  # well known

# What a machine asks or reports, beside sending objects.
MOVES: Final = (STUDY_ROOT_MOVE, PATIENT_ROOT_MOVE)
GETS: Final = (STUDY_ROOT_GET, PATIENT_ROOT_GET)
QUESTIONS: Final = frozenset(
    {
        MODALITY_WORKLIST_FIND,
        STUDY_ROOT_FIND,
        PATIENT_ROOT_FIND,
        PERFORMED_PROCEDURE_STEP,
        STORAGE_COMMITMENT,
        *MOVES,
        *GETS,
    }
)

# Both roles are taken: the machine asks (SCU), or brings us a report on an association of its own (SCP).
BOTH_ROLES: Final = frozenset({STORAGE_COMMITMENT})

STORAGE_PREFIX: Final = "1.2.840.10008.5.1.4.1.1."
_OTHER_STORAGE: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction
        "1.2.840.10008.5.1.4.34.10",  # RT Brachy Application Setup Delivery Instruction
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.39.1",  # Color Palette
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
    }
)
_STANDARD: Final = "1.2.840.10008."

IMPLICIT_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BE: Final = "1.2.840.10008.1.2.2"
DEFLATED_LE: Final = "1.2.840.10008.1.2.1.99"
_JPEG: Final = "1.2.840.10008.1.2.4."

# For queries, worklist and procedure steps: what our own codec reads and writes.
MESSAGE_SYNTAXES: Final = (EXPLICIT_LE, IMPLICIT_LE)

UNCOMPRESSED_SYNTAXES: Final = frozenset({EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE})

# Uncompressed first: preferring a lossy syntax would make the modality compress for us.
LOSSLESS_SYNTAXES: Final = (
    _JPEG + "80",  # JPEG-LS lossless
    _JPEG + "90",  # JPEG 2000 lossless
    _JPEG + "70",  # JPEG lossless, first-order prediction
    _JPEG + "57",  # JPEG lossless
    "1.2.840.10008.1.2.5",  # RLE
    _JPEG + "201",  # HTJ2K lossless
    _JPEG + "202",  # HTJ2K lossless RPCL
)
LOSSY_OR_OPAQUE_SYNTAXES: Final = (
    _JPEG + "50",
    _JPEG + "51",
    _JPEG + "81",
    _JPEG + "91",
    _JPEG + "203",
    _JPEG + "92",
    _JPEG + "93",
    *(_JPEG + str(number) for number in (*range(52, 57), *range(58, 67))),  # retired JPEG processes
    _JPEG + "110",
    _JPEG + "111",
    _JPEG + "112",
    *(_JPEG + f"{number}" for number in range(100, 109)),  # MPEG-2, H.264, HEVC
    *(_JPEG + f"{number}.1" for number in range(100, 107)),
    "1.2.840.10008.1.2.1.98",  # encapsulated uncompressed
    "1.2.840.10008.1.2.8.1",  # deflated frames
)
STORAGE_SYNTAXES: Final = (EXPLICIT_LE, IMPLICIT_LE, *LOSSLESS_SYNTAXES, EXPLICIT_BE, *LOSSY_OR_OPAQUE_SYNTAXES)

# Never, in either direction: Deflated (a bomb); JPIP and SMPTE 2110 (they point at data that we would not hold).

# SOP class extended negotiation of the query classes, PS3.4 C.5.1.1.
QUERY_EXTENDED: Final = bytes((1, 1, 1, 0, 0, 0))  # relational, combined date-time, names by their sound


def is_storage(sop_class: str) -> bool:
    """A storage SOP class, known or not: the standard's arc, or any private UID."""
    if sop_class.startswith(STORAGE_PREFIX) or sop_class in _OTHER_STORAGE:
        return True
    return bool(sop_class) and not sop_class.startswith(_STANDARD) and is_uid(sop_class)
