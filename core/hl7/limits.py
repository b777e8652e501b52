"""Every cap of the HL7 door in one value; a sender's row may change its times.

Caps are checked before anything is allocated from what a peer declares or repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are bytes, times are seconds."""

    junk: int = 64 * KIB  # between two frames
    message: int = MIB  # a message, or a frame whose MSH-9 is not known yet
    report: int = 32 * MIB  # an ORU, that may hold a PDF
    messages: int = 1_000  # in one frame
    segments: int = 2_000  # in one message
    fields: int = 1_000  # in one segment
    repetitions: int = 200  # in one field
    components: int = 1_000  # in one field, with its subcomponents
    field: int = 64 * KIB  # one field, except OBX-5 of an ORU
    frame_seconds: float = 30.0  # from 0x0B to 0x1C 0x0D
    idle_seconds: float = 60.0  # between two frames


DEFAULT = Limits()
