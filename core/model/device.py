"""Machines on the network and the systems that talk HL7 to us: nothing in these rows is guessed from the wire."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from datetime import datetime

from core.errors import BadInput
from core.i18n import _


@dataclass(frozen=True, slots=True)
class Device:
    """An application entity. addresses: allowed source addresses; "" host means that it never listens.

    role: modality, workstation, archive, film. charset: of worklist answers (ISO_IR 100, ISO_IR 192, ascii).
    worklist_window_days: days before and after today when the query has no date.
    find_limit: answers to a query; when_cut: what it is told when there are more: failure (0xA700), warning (0xB001),
    or success, for those that throw everything away otherwise.
    prefetch: an archive that is asked for the priors of each child for whom an exam is ordered.
    tls: it must call over TLS. certificate: its own, in PEM; no other line speaks for it then.
    pledges: an archive that is asked to answer for the images sent to it.
    identity: digest of the user and passcode that it must give when it calls; "": whatever it gives is ignored.
    receives_charset: character set of what it is sent (ISO_IR 100, ISO_IR 192, ascii); "" = each file's own.
    uncompressed: it says that it takes compressed images, and shows them badly: it is sent none.
    commit_host, commit_port: where it hears what became of its storage commitment requests; "" and 0: host and port.
    """

    ae_title: str
    host: str = ""
    port: int = 0
    role: str = "modality"
    addresses: tuple[str, ...] = ()
    room: str = ""
    modality: str = ""
    charset: str = "ISO_IR 100"
    all_rooms: bool = False
    cr_is_dx: bool = False
    worklist_window_days: int = 1
    find_limit: int = 500
    when_cut: str = "failure"
    conflict_is_success: bool = False
    commit_host: str = ""
    commit_port: int = 0
    active: bool = True
    tls: bool = False
    certificate: str = ""
    prefetch: bool = False
    identity: str = ""
    receives_charset: str = ""
    uncompressed: bool = False
    pledges: bool = False
    last_echo_at: datetime | None = None
    last_echo_ok: bool | None = None
    last_echo_ms: float | None = None
    last_call_at: datetime | None = None  # its own C-ECHO to us
    last_store_at: datetime | None = None
    last_query_at: datetime | None = None

    @property
    def key(self) -> str:
        return ae_key(self.ae_title)

    @property
    def may_store(self) -> bool:
        return self.role in ("modality", "archive", "workstation")

    @property
    def may_receive(self) -> bool:
        """Whether stored images may be sent to it."""
        return self.role != "film"


def ae_key(ae_title: str) -> str:
    """AE titles compare without case and surrounding spaces: machines get both wrong."""
    return ae_title.strip().casefold()


def identity_of(user: bytes, passcode: bytes) -> str:
    """The digest of a DICOM user identity. The passcode must be drawn, not chosen: nothing slows a guess here."""
    return hashlib.sha256(len(user).to_bytes(2, "big") + user + passcode).hexdigest()


def certificate_of(pem: str) -> bytes:
    """The DER of one certificate in PEM. Raises `BadInput`."""
    try:
        der = ssl.PEM_cert_to_DER_cert(pem)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=der)
    except (ValueError, ssl.SSLError) as fault:
        raise BadInput(_("Ce fichier n'est pas un certificat PEM."), "certificate") from fault
    return der


@dataclass(frozen=True, slots=True)
class HisSender:
    """A system that sends HL7 to us, and its habits.

    authority: the assigning authority trusted for patient numbers ("" = any). events: `ADT^A08`, … that it may send
    (empty = all that we know). sexes, charset_terms: `1=M`, `LATIN=iso8859-1`: its own words in PID-8 and MSH-18.
    local_code: the exam is in OBR-4.4. Times are seconds: a whole frame, a pause between two.
    """

    name: str
    addresses: tuple[str, ...] = ()
    application: str = ""
    facility: str = ""
    authority: str = ""
    may_merge: bool = True
    fallback_charset: str = "cp1252"
    default_version: str = "2.3.1"
    active: bool = True
    events: tuple[str, ...] = ()
    sexes: tuple[str, ...] = ()
    charset_terms: tuple[str, ...] = ()
    strict_charset: bool = False
    legacy_merge: bool = False
    local_code: bool = False
    enhanced: bool = False
    frame_seconds: int = 30
    idle_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Destination:
    """Where we send HL7: one persistent connection. charset is MSH-18 spelling."""

    name: str
    host: str
    port: int
    application: str = "HIS"
    facility: str = "HOPITAL"
    version: str = "2.5"
    charset: str = "UNICODE UTF-8"
    takes_preliminary: bool = True
    active: bool = True
