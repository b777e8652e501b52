"""What we say to other machines: C-ECHO, C-STORE of stored files and N-EVENT-REPORT, with pynetdicom as the requester.

Source: PS3.4 annexes A, B and J. Nothing is decoded: the file's data set goes out in its own transfer syntax.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from core.archive.part10 import FileMeta, read_file_meta
from core.clock import Clock
from core.dicom import conformance
from core.errors import BadMessage, NotAllowed, Unreachable
from core.i18n import _
from core.model.device import Device

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
_MOST_CONTEXTS: Final = 128
_HEAD: Final = 64 * 1024


class DicomSender:
    """Calls other machines under our title. Implements `Echo` and `SendFiles` of `core.services.ports`."""

    def __init__(self, title: str, clock: Clock) -> None:
        self._title = title
        self._clock = clock

    def echo(self, device: Device) -> float:
        """C-ECHO; milliseconds from the request to the answer. Raises `Unreachable` or `BadMessage`."""
        with self._association(device, [(conformance.VERIFICATION, conformance.IMPLICIT_LE)]) as association:
            began = self._clock.monotonic()
            status = association.send_c_echo()
            if not status:
                raise Unreachable(_("%s n'a pas répondu au C-ECHO.") % device.ae_title)
            if status.Status != 0:
                raise BadMessage(_("%s a refusé le C-ECHO (%04X).") % (device.ae_title, status.Status), "echo")
            return (self._clock.monotonic() - began) * 1000

    def send_files(self, device: Device, files: list[Path]) -> int:
        """C-STORE of files, in order; how many the machine took. One refusal never stops the others.

        Raises `Unreachable` when it cannot be reached or leaves, `NotAllowed` when it may not receive.
        """
        if device.role == "film":
            raise NotAllowed(_("%s ne reçoit pas d'images.") % device.ae_title)
        return sum(self._send_batch(device, batch) for batch in _batches([(path, _meta(path)) for path in files]))

    def report(self, device: Device, event_type: int, data_set: Callable[[str], bytes]) -> None:
        """A storage commitment N-EVENT-REPORT; we call, and are the SCP all the same (PS3.7 D.3.3.4).

        data_set: the Event Information in a transfer syntax. Raises `Unreachable` or `BadMessage`.
        """
        from pydicom.filereader import read_dataset
        from pynetdicom import build_role

        uid, instance = conformance.STORAGE_COMMITMENT, conformance.STORAGE_COMMITMENT_INSTANCE
        contexts = [(uid, conformance.IMPLICIT_LE)]  # what every machine takes
        with self._association(device, contexts, [build_role(uid, scp_role=True)]) as association:
            if not association.accepted_contexts:
                raise BadMessage(_("%s ne prend pas les engagements de stockage.") % device.ae_title, "commitment")
            information = read_dataset(BytesIO(data_set(conformance.EXPLICIT_LE)), False, True)
            status, _reply = association.send_n_event_report(information, event_type, uid, instance)
            if not status:
                raise Unreachable(_("%s a coupé pendant l'envoi.") % device.ae_title)
            if status.Status != 0:
                raise BadMessage(_("%s a refusé le rapport (%04X).") % (device.ae_title, status.Status), "commitment")

    def _send_batch(self, device: Device, batch: list[tuple[Path, FileMeta]]) -> int:
        contexts = sorted({(meta.sop_class_uid, meta.transfer_syntax) for _path, meta in batch})
        taken = 0
        with self._association(device, contexts) as association:
            accepted = {(c.abstract_syntax, c.transfer_syntax[0]) for c in association.accepted_contexts}
            for path, meta in batch:
                if (meta.sop_class_uid, meta.transfer_syntax) not in accepted:
                    continue
                status = association.send_c_store(path)
                if not status:
                    raise Unreachable(_("%s a coupé pendant l'envoi.") % device.ae_title)
                taken += status.Status == 0 or status.Status in _WARNINGS
        return taken

    @contextmanager
    def _association(
        self, device: Device, contexts: Iterable[tuple[str, str]], roles: Sequence[Any] = ()
    ) -> Iterator[Any]:
        """An association that is released at the end. Contexts: abstract syntax with one transfer syntax each."""
        association = self._associate(device, contexts, roles)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _associate(self, device: Device, contexts: Iterable[tuple[str, str]], roles: Sequence[Any]) -> Any:
        from pynetdicom import AE, _config, evt  # a large library: loaded by the first call, not at start

        if not device.host or not device.port:
            raise Unreachable(_("%s n'écoute pas : adresse ou port absents de sa fiche.") % device.ae_title)
        _config.STORE_SEND_CHUNKED_DATASET = True
        entity = AE(ae_title=self._title)
        entity.connection_timeout, entity.acse_timeout = CONNECT_S, CONNECT_S
        entity.dimse_timeout = entity.network_timeout = ANSWER_S
        entity.maximum_pdu_size = 131_072
        for abstract_syntax, transfer_syntax in contexts:
            entity.add_requested_context(abstract_syntax, transfer_syntax)
        association = entity.associate(
            device.host,
            device.port,
            ae_title=device.ae_title,
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay)],
        )
        if association.is_established:
            return association
        if association.is_rejected:
            raise Unreachable(_("%s refuse notre association (titre AE ou adresse à déclarer).") % device.ae_title)
        raise Unreachable(_("%s ne répond pas (%s:%d).") % (device.ae_title, device.host, device.port))


# Coerced, data set does not match, elements discarded: stored all the same (PS3.4 table B.2-1).
_WARNINGS: Final = frozenset({0xB000, 0xB006, 0xB007})


def _without_delay(event: Any) -> None:
    """pynetdicom leaves Nagle's algorithm on: 40 ms per message against a delayed acknowledgement."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _meta(path: Path) -> FileMeta:
    with path.open("rb") as file:
        return read_file_meta(file.read(_HEAD))


def _batches(files: list[tuple[Path, FileMeta]]) -> Iterator[list[tuple[Path, FileMeta]]]:
    """Runs of files that one association can negotiate: at most 128 pairs of class and syntax (PS3.8 9.3.2.2)."""
    batch: list[tuple[Path, FileMeta]] = []
    pairs: set[tuple[str, str]] = set()
    for path, meta in files:
        pair = (meta.sop_class_uid, meta.transfer_syntax)
        if pair not in pairs and len(pairs) == _MOST_CONTEXTS:
            yield batch
            batch, pairs = [], set()
        batch.append((path, meta))
        pairs.add(pair)
    if batch:
        yield batch
