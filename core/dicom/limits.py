"""Every limit of the DICOM door in one place: sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take from us. Defaults are the published ones."""

    # Before the association exists.
    pending_per_address: int = 4  # sockets without a complete A-ASSOCIATE-RQ
    pending: int = 256
    request_time: float = 5.0  # to a complete A-ASSOCIATE-RQ
    request_size: int = 256 * 1024  # a legal request of 128 contexts x 45 syntaxes takes 162,097 bytes

    # The association.
    associations: int = 64
    associations_per_ae: int = 10
    max_pdu: int = 131_072  # announced Maximum Length Received
    pdu_slack: int = 64 * 1024  # above the announced maximum, before we abort
    command_size: int = 64 * 1024
    identifier_size: int = MIB  # data sets of queries and of DIMSE-N requests
    in_memory: int = 8 * MIB  # an object above this is spooled to a file while it arrives
    object_size: int = 4096 * MIB

    # Time limits once it is established.
    pdu_time: float = 60.0  # without a complete PDU while one is in progress
    idle_time: float = 300.0  # between messages
    send_time: float = 30.0  # a response, or an object we send, of which the peer takes nothing
    response_time: float = 60.0  # to answer an object that we send on its own association
    artim: float = 5.0  # for the peer to close after A-ASSOCIATE-RJ, A-ABORT or A-RELEASE-RP
    tick: float = 0.5  # how often a waiting thread looks at the clock

    # Answers.
    batch: int = 64 * 1024  # bytes of responses in one send
    batch_time: float = 0.25  # seconds of waiting for more replies before those at hand are sent
    cancels_at_once: int = 16  # C-CANCELs looked at between two batches
    idle_cancels: int = 1000  # C-CANCELs of nothing in a row
