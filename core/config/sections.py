"""What a site may decide, one frozen value per section of `yelen.toml`.

The defaults here and in `template.toml` are the same, which a test keeps true; the comments that people read are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

OUAGADOUGOU = ZoneInfo("Africa/Ouagadougou")
Unknown = Literal["reject", "quarantine", "accept"]


@dataclass(frozen=True, slots=True)
class Site:
    """The hospital, as paper and messages name it."""

    hospital: str
    patient_prefix: str
    authority: str
    department: str = "Service d'imagerie médicale"
    address: str = ""
    phone: str = ""
    timezone: ZoneInfo = field(default=OUAGADOUGOU)
    language: Literal["fr", "en"] = "fr"

    def local(self, moment: datetime) -> datetime:
        """A moment as the walls of the site show it."""
        return moment.astimezone(self.timezone)


@dataclass(frozen=True, slots=True)
class Dicom:
    """The DICOM door."""

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "YELEN"
    unknown_callers: Unknown = "reject"
    max_pdu: int = 131_072  # bytes, PS3.8 D.1
    max_associations: int = 64
    tls: bool = False
    tls_port: int = 2762  # PS3.15 B.9
    commit_after_replication: bool = False


@dataclass(frozen=True, slots=True)
class Hl7:
    """The HL7 door, and how we name ourselves in messages."""

    host: str = "127.0.0.1"
    port: int = 2575
    unknown_senders: Unknown = "reject"
    processing_id: Literal["P", "T", "D"] = "P"  # MSH-11, table 0103
    application: str = "YELEN"  # MSH-3 of what we send
    facility: str = ""  # MSH-4 of what we send


@dataclass(frozen=True, slots=True)
class Web:
    """The kiosk."""

    host: str = "127.0.0.1"
    port: int = 8080
    behind_proxy: bool = False
    threads: int = 16
    ward_lock_minutes: int = 2
    desk_lock_minutes: int = 10
    reader_lock_minutes: int = 15


@dataclass(frozen=True, slots=True)
class Rpc:
    """The terminals' socket. path: "" is `yelen.sock` in the data folder."""

    path: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """Percentages of the disk that holds the archive."""

    warn_percent: int = 15
    reserve_percent: int = 5


@dataclass(frozen=True, slots=True)
class Archive:
    """When stored images are made smaller, without loss. from_hour, to_hour: the night, by the site's wall."""

    compress: Literal["off", "night", "always"] = "night"
    from_hour: int = 20
    to_hour: int = 6


@dataclass(frozen=True, slots=True)
class Imaging:
    """The worker that decodes and draws."""

    memory_mb: int = 1024
    deadline_s: int = 20
    cache_mb: int = 512


@dataclass(frozen=True, slots=True)
class Replica:
    """The second building. target: "" none, a folder, or `rsync://host:port/module`."""

    role: Literal["primary", "replica"] = "primary"
    target: str = ""
    interval_s: int = 10
    bandwidth_kbps: int = 0  # kilobytes per second, as rsync --bwlimit; 0 is no limit


@dataclass(frozen=True, slots=True)
class Printing:
    """The printer that serves when a post names none."""

    report_printer: str = ""
    label_printer: str = ""
    convocation_printer: str = ""


@dataclass(frozen=True, slots=True)
class Reports:
    """Writing and delivering reports."""

    lock_minutes: int = 30


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Appointments and the worklist."""

    worklist_window_days: int = 1
    slot_minutes: int = 15
