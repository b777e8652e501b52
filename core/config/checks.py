"""What makes a well-typed configuration refused: ranges, lengths, and the rules for leaving loopback.

Each check yields (key, French sentence). AE title: PS3.5 6.2 (AE, 16 characters, no backslash or control).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.i18n import _

if TYPE_CHECKING:
    from core.config.loading import Config

Fault = tuple[str, str]

RANGES: dict[str, tuple[int, int]] = {
    "dicom.port": (0, 65535),
    "dicom.tls_port": (0, 65535),
    "dicom.max_pdu": (4096, 1_048_576),
    "dicom.max_associations": (1, 256),
    "hl7.port": (0, 65535),
    "web.port": (0, 65535),
    "web.threads": (2, 64),
    "web.ward_lock_minutes": (1, 60),
    "web.desk_lock_minutes": (1, 240),
    "web.reader_lock_minutes": (1, 240),
    "storage.warn_percent": (0, 90),
    "storage.reserve_percent": (0, 50),
    "archive.from_hour": (0, 23),
    "archive.to_hour": (0, 23),
    "imaging.memory_mb": (256, 16384),
    "imaging.deadline_s": (1, 300),
    "imaging.cache_mb": (0, 1_000_000),
    "replica.interval_s": (1, 3600),
    "replica.bandwidth_kbps": (0, 10_000_000),
    "reports.lock_minutes": (5, 240),
    "scheduling.worklist_window_days": (0, 31),
    "scheduling.slot_minutes": (5, 240),
}
DOORS = ("dicom", "hl7", "web")


def faults_of(config: Config) -> Iterator[Fault]:
    """Every fault of a configuration whose values have the right types."""
    yield from _ranges(config)
    yield from _texts(config)
    yield from _socket(config)
    yield from _ports(config)
    yield from _hosts(config)
    yield from _replica(config)


def is_loopback(host: str) -> bool:
    """`localhost` or an address of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _value(config: Config, key: str) -> int:
    section, _dot, name = key.partition(".")
    value = getattr(getattr(config, section), name)
    assert isinstance(value, int)
    return value


def _ranges(config: Config) -> Iterator[Fault]:
    for key, (least, most) in RANGES.items():
        if not least <= _value(config, key) <= most:
            yield key, _("%d n'est pas entre %d et %d") % (_value(config, key), least, most)
    if config.storage.warn_percent < config.storage.reserve_percent:
        yield "storage.warn_percent", _("doit être au moins égal à storage.reserve_percent")


def _texts(config: Config) -> Iterator[Fault]:
    title = config.dicom.ae_title
    if not 1 <= len(title.strip()) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        yield "dicom.ae_title", _("« %s » : 1 à 16 caractères sans accent ni barre inverse") % title[:40]
    if not re.fullmatch(r"[A-Z0-9]{1,8}", config.site.patient_prefix):
        yield (
            "site.patient_prefix",
            _("« %s » : 1 à 8 lettres majuscules ou chiffres") % config.site.patient_prefix[:40],
        )
    if not config.site.hospital.strip():
        yield "site.hospital", _("le nom de l'hôpital manque")
    if not re.fullmatch(r"[^|^&~\\\s]{1,64}", config.site.authority):
        yield "site.authority", _("« %s » : 1 à 64 caractères, sans espace ni | ^ & ~ \\") % config.site.authority[:40]
    for key in ("application", "facility"):
        if re.search(r"[|^&~\\\x00-\x1f]", getattr(config.hl7, key)):
            yield f"hl7.{key}", _("les caractères | ^ & ~ \\ sont interdits")


def _socket(config: Config) -> Iterator[Fault]:
    if config.rpc.path and not config.rpc.path.startswith("/"):
        yield "rpc.path", _("« %s » : écrire un chemin complet (/…)") % config.rpc.path[:80]


def _ports(config: Config) -> Iterator[Fault]:
    """Two doors on one port of one address: the second could not open."""
    seen: dict[int, str] = {}
    for door in DOORS:
        port = getattr(config, door).port
        if port and port in seen:
            yield f"{door}.port", _("le port %d est déjà celui de %s.port") % (port, seen[port])
        seen.setdefault(port, door)


def _hosts(config: Config) -> Iterator[Fault]:
    for door in DOORS:
        host = getattr(config, door).host
        if host != "localhost" and not _is_address(host):
            yield f"{door}.host", _("« %s » n'est pas une adresse IP de cette machine") % host[:60]
    yield from _leaving_loopback(config)


def _leaving_loopback(config: Config) -> Iterator[Fault]:
    """What a door needs before the network may knock at it."""
    if not is_loopback(config.web.host) and not config.web.behind_proxy:
        yield (
            "web.host",
            _("hors de cette machine, il faut HTTPS : garder 127.0.0.1 derrière nginx, ou web.behind_proxy = true"),
        )
    if not is_loopback(config.dicom.host) and config.dicom.unknown_callers == "accept":
        yield "dicom.unknown_callers", _('"accept" n\'est permis que si dicom.host est local')
    if not is_loopback(config.hl7.host) and config.hl7.unknown_senders == "accept":
        yield "hl7.unknown_senders", _('"accept" n\'est permis que si hl7.host est local')


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _replica(config: Config) -> Iterator[Fault]:
    target = config.replica.target
    if config.dicom.commit_after_replication and not target and config.replica.role == "primary":
        yield "dicom.commit_after_replication", _("demande un second bâtiment : replica.target est vide")
    if not target:
        return
    if target.startswith("rsync://"):
        if not re.fullmatch(r"rsync://[A-Za-z0-9_.\-\[\]:]+(:\d{1,5})?/[A-Za-z0-9_.\-/]+", target):
            yield "replica.target", _("« %s » : écrire rsync://hôte:port/module") % target[:80]
    elif not target.startswith("/"):
        yield "replica.target", _("« %s » : écrire un chemin complet (/…) ou rsync://hôte:port/module") % target[:80]
    if config.replica.role == "replica":
        yield "replica.target", _('un site "replica" reçoit la copie : sa cible doit être vide')
