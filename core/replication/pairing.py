"""Which hospital a copy belongs to, and carrying the hospital's keys to it by hand.

A site is named by a fingerprint of its audit key, which tells nothing of the key. A copy follows the first site that
feeds it and refuses every other one. The keys themselves never travel by rsync: an administrator carries them, because
without them the audit could not be verified in the second building, nor a promoted copy go on with it.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from core.archive.disk import Disk, ensure_folder, replace
from core.errors import BadMessage, Conflict, NotFound
from core.i18n import _

AUDIT_KEY, ARCHIVE_KEY = "secrets/audit.key", "secrets/archive.key"


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an administrator carries. Hexadecimal."""

    site: str
    audit: str
    archive: str


def site_of(audit_key: bytes) -> str:
    """The name of a site: 16 hexadecimal digits."""
    return hmac.new(audit_key, b"yelen site", hashlib.sha256).hexdigest()[:16]


def carry_keys(data: Path, to: Path) -> None:
    """Write the keys of a primary into a new file, 0600. Raises `Conflict` when the file exists."""
    try:
        audit, archive = (data / AUDIT_KEY).read_bytes(), (data / ARCHIVE_KEY).read_bytes()
    except FileNotFoundError:
        raise NotFound(_("%s n'a pas encore de clés : « yelen init ».") % data) from None
    if to.exists():
        raise Conflict(_("%s existe déjà : rien n'a été changé.") % to)
    replace(Disk(), to, msgspec.json.encode(Keys(site_of(audit), audit.hex(), archive.hex())))


def take_keys(data: Path, source: Path) -> str:
    """Put the carried keys in place of a copy's own; the site they belong to. Raises `BadMessage` for another file."""
    try:
        keys = msgspec.json.decode(source.read_bytes(), type=Keys)
        audit, archive = bytes.fromhex(keys.audit), bytes.fromhex(keys.archive)
    except FileNotFoundError:
        raise NotFound(_("%s n'existe pas.") % source) from None
    except (msgspec.MsgspecError, ValueError) as fault:
        raise BadMessage(_("%s ne contient pas les clés d'un site Yelen.") % source, "bad-keys") from fault
    if site_of(audit) != keys.site:
        raise BadMessage(_("%s ne contient pas les clés d'un site Yelen.") % source, "bad-keys")
    disk = Disk()
    ensure_folder(disk, data / "secrets")
    replace(disk, data / AUDIT_KEY, audit)
    replace(disk, data / ARCHIVE_KEY, archive)
    return keys.site
