"""What we say to other machines: C-ECHO and N-EVENT-REPORT with pynetdicom as the requester, C-STORE by our own sender.

Source: PS3.4 annexes A, B and J. Nothing is decoded when the machine takes an object in its own transfer syntax.
"""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

from core.clock import Clock
from core.dicom import conformance
from core.dicom.associate import MOST_CONTEXTS, Proposed
from core.dicom.store_scu import Lost, Patience, StoreAssociation
from core.dicom.suboperations import Bodies, carry_out
from core.errors import BadMessage, NotAllowed, Unreachable
from core.i18n import _
from core.model.device import Device
from core.model.outgoing import Outgoing, Tally

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
_LONGEST_PDU: Final = 256 * 1024  # twice what we announce
_LISTEN_S: Final = 2.0  # for a report on the association of its request
_MOST_LOSSES: Final = 3  # associations in a row in which a machine takes not one object


def _nothing() -> None:
    """Nobody watches."""


class DicomSender:
    """Calls other machines under our title. Implements `Echo` and `StoreTo` of `core.services.ports`."""

    def __init__(self, title: str, clock: Clock, patience: Patience | None = None) -> None:
        self._title = title
        self._clock = clock
        self._patience = patience

    def echo(self, device: Device) -> float:
        """C-ECHO; milliseconds from the request to the answer. Raises `Unreachable` or `BadMessage`."""
        with self.association(device, [(conformance.VERIFICATION, conformance.IMPLICIT_LE)]) as association:
            began = self._clock.monotonic()
            status = association.send_c_echo()
            if not status:
                raise Unreachable(_("%s n'a pas répondu au C-ECHO.") % device.ae_title)
            if status.Status != 0:
                raise BadMessage(_("%s a refusé le C-ECHO (%04X).") % (device.ae_title, status.Status), "echo")
            return (self._clock.monotonic() - began) * 1000

    def store(
        self,
        device: Device,
        objects: Sequence[Outgoing],
        bodies: Bodies,
        tally: Tally,
        watch: Callable[[], None] = _nothing,
        originator: tuple[str, int] | None = None,
    ) -> None:
        """C-STORE of stored objects, in order; the tally says what became of each. One refusal never stops the others.

        watch: called at each object and each tick of waiting; may raise to stop. originator: of the C-MOVE behind it.
        Raises `Unreachable` when it cannot be reached or leaves, `NotAllowed` when it may not receive.
        """
        if not device.may_receive:
            raise NotAllowed(_("%s ne reçoit pas d'images.") % device.ae_title)
        for batch in batches(objects):
            self._send_batch(device, batch, bodies, tally, watch, originator)

    def ask_commitment(self, device: Device, information: bytes, heard: Callable[[int, bytes], None]) -> None:
        """A storage commitment N-ACTION. heard: the event type and the Event Information of a report, implicit VR
        little endian, when it comes on this association within a moment. Raises `Unreachable` or `BadMessage`.
        """
        from pydicom.filereader import read_dataset
        from pynetdicom import build_role

        uid, instance = conformance.STORAGE_COMMITMENT, conformance.STORAGE_COMMITMENT_INSTANCE
        said: queue.Queue[tuple[int, bytes]] = queue.Queue()

        def hear(event: Any) -> tuple[int, None]:
            said.put((event.request.EventTypeID, event.request.EventInformation.getvalue()))
            return 0x0000, None

        roles = [build_role(uid, scu_role=True)]
        with self.association(device, [(uid, conformance.IMPLICIT_LE)], roles, hear=hear) as association:
            if not association.accepted_contexts:
                raise BadMessage(_("%s ne prend pas les engagements de stockage.") % device.ae_title, "commitment")
            status, _reply = association.send_n_action(read_dataset(BytesIO(information), True, True), 1, uid, instance)
            if not status:
                raise Unreachable(_("%s a coupé pendant l'envoi.") % device.ae_title)
            if status.Status != 0:
                raise BadMessage(_("%s a refusé la demande (%04X).") % (device.ae_title, status.Status), "commitment")
            with contextlib.suppress(queue.Empty):
                heard(*said.get(timeout=_LISTEN_S))

    def report(self, device: Device, event_type: int, data_set: Callable[[str], bytes]) -> None:
        """A storage commitment N-EVENT-REPORT; we call, and are the SCP all the same (PS3.7 D.3.3.4).

        data_set: the Event Information in a transfer syntax. Raises `Unreachable` or `BadMessage`.
        """
        from pydicom.filereader import read_dataset
        from pynetdicom import build_role

        uid, instance = conformance.STORAGE_COMMITMENT, conformance.STORAGE_COMMITMENT_INSTANCE
        contexts = [(uid, conformance.IMPLICIT_LE)]  # what every machine takes
        with self.association(device, contexts, [build_role(uid, scp_role=True)]) as association:
            if not association.accepted_contexts:
                raise BadMessage(_("%s ne prend pas les engagements de stockage.") % device.ae_title, "commitment")
            information = read_dataset(BytesIO(data_set(conformance.EXPLICIT_LE)), False, True)
            status, _reply = association.send_n_event_report(information, event_type, uid, instance)
            if not status:
                raise Unreachable(_("%s a coupé pendant l'envoi.") % device.ae_title)
            if status.Status != 0:
                raise BadMessage(_("%s a refusé le rapport (%04X).") % (device.ae_title, status.Status), "commitment")

    def _send_batch(
        self,
        device: Device,
        batch: Sequence[Outgoing],
        bodies: Bodies,
        tally: Tally,
        watch: Callable[[], None],
        originator: tuple[str, int] | None,
    ) -> None:
        """One association; when the machine leaves in the middle of one object, another one for those after it."""
        end = tally.remaining - len(batch)
        losses = 0
        while tally.remaining > end:
            left = batch[len(batch) - (tally.remaining - end) :]
            association = StoreAssociation(self._title, device, self._clock, watch, originator, self._patience)
            association.open(proposed(left, device.uncompressed))
            before = tally.remaining
            try:
                carry_out(left, association, bodies, tally, watch)
            except Lost:
                losses = losses + 1 if tally.remaining == before else 1
                if losses == _MOST_LOSSES:
                    raise
                tally.failed.append(left[before - tally.remaining].sop_instance_uid)
                tally.remaining -= 1
            except BaseException:
                association.abort()
                raise
            else:
                association.release()

    @contextmanager
    def association(
        self,
        device: Device,
        contexts: Iterable[tuple[str, str]],
        roles: Sequence[Any] = (),
        answer_s: float = ANSWER_S,
        hear: Callable[[Any], Any] | None = None,
    ) -> Iterator[Any]:
        """An association that is released at the end. Contexts: abstract syntax with one transfer syntax each.

        answer_s: how long one answer may be awaited. hear: takes an N-EVENT-REPORT.
        Raises `Unreachable`.
        """
        association = self._associate(device, contexts, roles, hear)
        association.dimse_timeout = association.network_timeout = answer_s
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _associate(
        self,
        device: Device,
        contexts: Iterable[tuple[str, str]],
        roles: Sequence[Any],
        hear: Callable[[Any], Any] | None,
    ) -> Any:
        from pynetdicom import AE, evt  # a large library: loaded by the first call, not at start

        if not device.host or not device.port:
            raise Unreachable(_("%s n'écoute pas : adresse ou port absents de sa fiche.") % device.ae_title)
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
            evt_handlers=[(evt.EVT_CONN_OPEN, _prepare), *([(evt.EVT_N_EVENT_REPORT, hear)] if hear else [])],
        )
        if association.is_established:
            return association
        if association.is_rejected:
            raise Unreachable(_("%s refuse notre association (titre AE ou adresse à déclarer).") % device.ae_title)
        raise Unreachable(_("%s ne répond pas (%s:%d).") % (device.ae_title, device.host, device.port))


def _prepare(event: Any) -> None:
    """pynetdicom leaves Nagle's algorithm on (40 ms per message) and believes any PDU length up to 4 GB."""
    transport = event.assoc.dul.socket
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    receive = transport.recv

    def bounded(size: int) -> bytearray:
        if size > _LONGEST_PDU:
            transport.socket.close()
            raise OSError(f"PDU of {size} bytes")
        return receive(size)  # type: ignore[no-any-return]

    transport.recv = bounded


def needed(outgoing: Outgoing) -> list[tuple[str, str]]:
    """Class and syntax of the contexts over which an object may go: as it is stored, else uncompressed."""
    syntaxes = dict.fromkeys((outgoing.transfer_syntax, conformance.EXPLICIT_LE, conformance.IMPLICIT_LE))
    return [(outgoing.sop_class_uid, syntax) for syntax in syntaxes if syntax != conformance.DEFLATED_LE]


def batches(objects: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """Runs of objects that one association can negotiate: at most 128 contexts (PS3.8 9.3.2.2)."""
    start = 0
    pairs: set[tuple[str, str]] = set()
    for place, outgoing in enumerate(objects):
        more = pairs.union(needed(outgoing))
        if len(more) > MOST_CONTEXTS:
            yield objects[start:place]
            start, more = place, set(needed(outgoing))
        pairs = more
    if start < len(objects):
        yield objects[start:]


def proposed(objects: Sequence[Outgoing], uncompressed: bool = False) -> list[Proposed]:
    """A context of its own for each class and syntax, so that the machine cannot choose one that we would not."""
    pairs = dict.fromkeys(
        (sop_class, syntax)
        for outgoing in objects
        for sop_class, syntax in needed(outgoing)
        if not uncompressed or syntax in conformance.UNCOMPRESSED_SYNTAXES
    )
    return [Proposed(2 * place + 1, sop_class, (syntax,)) for place, (sop_class, syntax) in enumerate(pairs)]
