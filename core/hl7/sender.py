"""A system that sends us messages: where it calls from, what it may say, and its habits of spelling."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.hl7.limits import DEFAULT, Limits
from core.hl7.text import WESTERN, Charsets
from core.model.device import HisSender

ANY_EVENT: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sender:
    """One declared sender.

    application, facility: what it must say in MSH-3.1 and MSH-4.1, when not empty. authorities: those whose numbers
    it may give; empty: every authority is believed. default_authority: of a number that names none, unless it has
    authorities of its own. events: `ADT^A40`, `ORM^O01`, … that it may send; empty: all that we know. sexes: what it
    writes in PID-8 besides table 0001, such as {"1": "M"}. local_code: exam code from OBR-4.4 to 4.6.
    """

    name: str
    addresses: tuple[str, ...] = ()
    application: str = ""
    facility: str = ""
    authorities: tuple[str, ...] = ()
    default_authority: str = ""
    events: frozenset[str] = ANY_EVENT
    processing_id: str = ""  # P, T or D; empty: any
    default_version: str = "2.3.1"
    charsets: Charsets = WESTERN
    sexes: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = DEFAULT
    legacy_merge: bool = False
    local_code: bool = False
    enhanced: bool = False
    quarantined: bool = False  # unknown, kept for a person, never applied
    active: bool = True

    @property
    def authority(self) -> str:
        return self.authorities[0] if self.authorities else self.default_authority

    def trusts(self, authority: str) -> bool:
        return not self.authorities or authority in self.authorities

    def may_send(self, message_type: str) -> bool:
        return not self.events or message_type in self.events

    def calls_from(self, address: str) -> bool:
        return plain_address(address) in {plain_address(known) for known in self.addresses}


def of_row(row: HisSender, processing_id: str, authority: str) -> Sender:
    """A row of the registry. authority: the site's own, of numbers that name none."""
    return Sender(
        name=row.name,
        addresses=row.addresses,
        application=row.application,
        facility=row.facility,
        authorities=(row.authority,) if row.authority else (),
        default_authority=authority,
        processing_id=processing_id,
        default_version=row.default_version,
        charsets=Charsets(row.fallback_charset, row.strict_charset, _pairs(row.charset_terms)),
        events=frozenset(row.events),
        sexes=_pairs(row.sexes),
        limits=replace(DEFAULT, frame_seconds=row.frame_seconds, idle_seconds=row.idle_seconds),
        legacy_merge=row.legacy_merge,
        local_code=row.local_code,
        active=row.active,
        enhanced=row.enhanced,
    )


def _pairs(written: Iterable[str]) -> dict[str, str]:
    """`1=M` as the row writes it."""
    return {theirs: ours for theirs, _equals, ours in (pair.partition("=") for pair in written)}


def plain_address(address: str) -> str:
    """One spelling for an address: IPv4 mapped into IPv6 is IPv4."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def find(senders: Iterable[Sender], address: str, unknown: str = "reject", authority: str = "") -> Sender | None:
    """Who calls from this address; None when it is refused, as a sender that is switched off always is.

    unknown: `reject`, `quarantine`, or `accept`, which holds for loopback addresses only. authority: the site's own.
    """
    here = [sender for sender in senders if sender.calls_from(address)]
    if here:
        return next((sender for sender in here if sender.active), None)
    if unknown == "quarantine":
        return Sender(address, (address,), default_authority=authority, quarantined=True)
    if unknown == "accept" and is_loopback(address):
        return Sender(address, (address,), default_authority=authority)
    return None


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(plain_address(address)).is_loopback
    except ValueError:
        return False
