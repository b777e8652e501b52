"""What was set aside goes through the ingest once more: its machine is declared by now, a fault is mended.

The file in quarantine is proved by the hash of its row and stays where it lies, whatever becomes of the object. What
is refused once more is written nowhere; one sentence says what is still missing.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Final

from core.archive.part10 import FileMeta, read_file_meta
from core.errors import BadMessage, Conflict, OutOfResources
from core.i18n import _
from core.index.tables import Quarantine
from core.index.writer import Unit
from core.model.device import Device, ae_key
from core.model.people import Actor
from core.model.received import REASON_SENTENCES, Arrival, Reason, ReceivedHeader, Sender, Stored, StoreOutcome
from core.model.rejection import KEY_OBJECT_SELECTION, RejectionNote
from core.services.access import require
from core.services.damaged import data_set_of, is_whole
from core.services.devices import Devices
from core.services.ingest import KEEPERS, Ingest, settle_line, waiting_line
from core.services.kit import Kit
from core.services.ports import Ports
from core.services.startup import HEAD
from core.trouble import reason_of

AT_ONCE: Final = 1000


class Retrying:
    """The way out of quarantine into the archive. A person asks for it, line by line."""

    def __init__(self, kit: Kit, ports: Ports, devices: Devices, ingest: Ingest) -> None:
        self._kit = kit
        self._ports = ports
        self._devices = devices
        self._ingest = ingest

    def waiting(self, actor: Actor, ae_title: str, after: int = 0) -> list[int]:
        """The next lines of a machine that wait, above the number `after`, the oldest first."""
        require(actor, *KEEPERS)
        key = ae_key(ae_title)
        rows: Any = (
            Quarantine.select(Quarantine.id, Quarantine.calling_ae)
            .where(Quarantine.settled_at.is_null(), Quarantine.id > after)
            .order_by(Quarantine.id)
            .tuples()
        )
        return list(islice((number for number, calling in rows if ae_key(calling) == key), AT_ONCE))

    def retry(self, actor: Actor, quarantine_id: int) -> StoreOutcome:
        """Archive what was set aside, and settle its line: ARCHIVED, or DUPLICATE when the archive has it already.

        Raises `NotFound`, or `Conflict` with what is still missing; then the line waits as before.
        """
        require(actor, *KEEPERS)
        row = waiting_line(quarantine_id)
        if not is_whole(self._kit.archive, row):
            raise Conflict(_("Le fichier mis de côté est abîmé ou absent : demander un renvoi à sa machine."))
        try:
            outcome = self._store(row)
        except BadMessage as fault:
            raise Conflict(_missing(fault.reason)) from fault
        if outcome.what is Stored.QUARANTINED:
            raise Conflict(_missing(outcome.reason or ""))

        def act(unit: Unit) -> None:
            settle_line(unit, actor, quarantine_id, _("repris"))
            unit.audit(
                actor, "retry_quarantine", f"file:{Path(row.path).stem}", path=row.path, became=str(outcome.what)
            )

        self._kit.act(actor, "retry_quarantine", act)
        return outcome

    def _store(self, row: Any) -> StoreOutcome:
        """Raises `BadMessage` when the file cannot be read as an object."""
        file = self._kit.archive.absolute(row.path)
        with file.open("rb") as stream:
            head = stream.read(HEAD)
        meta = read_file_meta(head)
        sender = self._sender(row, meta)
        header = self._header(head, meta, row.size)
        self._ingest.check_room()
        with self._kit.archive.spooling() as (spooled, descriptor):
            self._copy(file, descriptor)
            return self._ingest.store(
                Arrival(
                    sender=sender,
                    sop_class_uid=meta.sop_class_uid,
                    sop_instance_uid=meta.sop_instance_uid,
                    transfer_syntax=meta.transfer_syntax,
                    dataset=b"",
                    header=header,
                    spooled=str(spooled),
                    rejects=self._note(file, header, meta) if sender.known else None,
                    set_aside=True,
                )
            )

    def _header(self, head: bytes, meta: FileMeta, size: int) -> ReceivedHeader:
        if self._ports.read_header is None:
            raise OutOfResources(_("La lecture des images n'est pas disponible."))
        start = meta.dataset_offset
        return self._ports.read_header(memoryview(head)[start:], meta.transfer_syntax, size - start)

    def _note(self, file: Path, header: ReceivedHeader, meta: FileMeta) -> RejectionNote | None:
        if header.sop_class_uid != KEY_OBJECT_SELECTION or self._ports.read_note is None:
            return None
        content = b"".join(bytes(piece) for piece in data_set_of(file)())
        return self._ports.read_note(content, meta.transfer_syntax)

    def _copy(self, file: Path, descriptor: int) -> None:
        """The data set alone, in pieces: an object of any size."""
        try:
            for piece in data_set_of(file)():
                self._kit.archive.disk.write(descriptor, [piece])
        except OSError as fault:
            raise OutOfResources(_("Écriture impossible sur le disque : %s") % reason_of(fault)) from fault

    def _sender(self, row: Any, meta: FileMeta) -> Sender:
        """Who sent it, as the machines are declared today. Raises `Conflict` for one that still may send nothing."""
        device = self._devices.by_caller(row.calling_ae, row.address)
        if row.reason == str(Reason.UNKNOWN_CALLER):
            if device is None and self._kit.config.dicom.unknown_callers != "accept":
                said = _("Déclarer d'abord la machine %s à l'adresse %s (yelen device add), puis reprendre.")
                raise Conflict(said % (row.calling_ae, row.address))
            if device is not None and not device.may_store:
                raise Conflict(_("La machine %s est déclarée, mais pas pour envoyer des images.") % row.calling_ae)
        if device is None:
            return Sender(row.calling_ae or meta.source_ae, row.address, False, found_again=not row.calling_ae)
        # A stranger at its address has proved nothing: a person says whose image it is.
        known = row.reason != str(Reason.UNKNOWN_CALLER) or not _must_prove(device)
        return Sender(device.ae_title, row.address, known)


def _must_prove(device: Device) -> bool:
    return bool(device.tls or device.certificate or device.identity)


def _missing(reason: str) -> str:
    """What keeps this object out of the archive, and what may be done."""
    why = Reason(reason) if reason in set(Reason) else Reason.BAD_STRUCTURE
    match why:
        case Reason.DUPLICATE_CONFLICT:
            return _("L'archive tient une autre image sous le même identifiant : les deux fichiers restent gardés.")
        case Reason.REJECTED_AGAIN:
            return _("Cette image est rejetée : lever d'abord son rejet (yelen settle rejection), puis reprendre.")
    return _("Toujours refusé (%s) : demander à la machine un renvoi corrigé.") % _(REASON_SENTENCES[why])
