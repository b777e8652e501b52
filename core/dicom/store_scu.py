"""An association that we ask for, to store objects in another machine: our own framing, one send for an object.

pynetdicom's sender reaches a tenth of what a loopback socket takes. Time limits are read through the clock; a waiting
thread calls `watch` at each tick, which may stop everything. Source: PS3.8 section 9, PS3.4 annex B.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from core.archive.outgoing import Body
from core.clock import Clock
from core.dicom import associate, dimse, upper_layer
from core.dicom.associate import Accepted, BadAssociate, Proposed
from core.dicom.dimse import BadCommand
from core.dicom.negotiation import Context
from core.dicom.sending import Shipment, store_command
from core.dicom.upper_layer import NEED_DATA, BadPdu, CommandReceived, Inbound
from core.dicom.wire import FileShort, PeerGone, TimeLimit, Wire, prepare
from core.errors import Unreachable
from core.i18n import _
from core.model.device import Device
from core.model.outgoing import Outgoing

OUR_PDU: Final = 16_384  # answers are small
MOST_ANSWER: Final = 256 * 1024  # an A-ASSOCIATE-AC
_COMMAND_SIZE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that another machine may take."""

    connect: float = 5.0
    associate: float = 10.0
    answer: float = 60.0  # to store one object
    take: float = 30.0  # nothing of what we send
    release: float = 5.0
    tick: float = 0.5


class Lost(Unreachable):
    """The machine left in the middle, or broke a rule."""


class StoreAssociation:
    """One association towards a machine; a `Channel`. Every fault of the machine is an `Unreachable`."""

    def __init__(
        self,
        title: str,
        device: Device,
        clock: Clock,
        watch: Callable[[], None],
        originator: tuple[str, int] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._title = title
        self._device = device
        self._clock = clock
        self._watch = watch
        self._originator = originator
        self._patience = patience or Patience()
        self._limit, self._since = self._patience.associate, clock.monotonic()
        self._contexts: dict[str, list[Context]] = {}
        self._max_pdu = 0
        self._message_id = 0
        self._wire: Wire | None = None
        self._shipment = Shipment()
        self._stream = Inbound((), OUR_PDU, _COMMAND_SIZE)

    def open(self, contexts: Sequence[Proposed]) -> None:
        """Connect and negotiate. Raises `Unreachable` with what to do about it."""
        connection = self._connected()
        prepare(connection, self._patience.tick)
        self._wire = Wire(connection, self._waiting)
        try:
            self._await(self._patience.associate)
            request = associate.encode_request(self._device.ae_title, self._title, contexts, OUR_PDU)
            self._wire.send(request, self._waiting)
            accepted = self._acceptance()
        except (PeerGone, TimeLimit, BadAssociate) as error:
            self.close()
            raise Unreachable(_silent(self._device)) from error
        except BaseException:
            self.close()
            raise
        self._max_pdu = accepted.max_pdu
        self._stream = Inbound(accepted.transfer_syntaxes, OUR_PDU + 65_536, _COMMAND_SIZE)
        for proposed in contexts:
            syntax = accepted.transfer_syntaxes.get(proposed.context_id)
            if syntax is not None and syntax in proposed.transfer_syntaxes:
                context = Context(proposed.context_id, proposed.abstract_syntax, syntax)
                self._contexts.setdefault(proposed.abstract_syntax, []).append(context)

    # A `Channel`

    def contexts(self, sop_class: str) -> Sequence[Context]:
        return self._contexts.get(sop_class, ())

    def load(self, context: Context, outgoing: Outgoing, body: Body) -> None:
        number = self._message_id % 0xFFFF + 1
        command = store_command(number, outgoing.sop_class_uid, outgoing.sop_instance_uid, 0, self._originator)
        self._shipment.load(context.context_id, command, body, self._max_pdu)

    def send(self) -> None:
        assert self._wire is not None
        self._message_id = self._message_id % 0xFFFF + 1
        self._await(self._patience.take)
        sent = self._wire.sent

        def blocked() -> None:
            nonlocal sent
            assert self._wire is not None
            if self._wire.sent != sent:
                sent, self._since = self._wire.sent, self._clock.monotonic()
            self._waiting()

        with self._faults_of_the_machine():
            self._shipment.send(self._wire, blocked)

    def finish(self) -> int:
        assert self._wire is not None
        self._await(self._patience.answer)
        with self._faults_of_the_machine():
            while (event := self._stream.next_event()) is NEED_DATA:
                self._stream.received(self._wire.receive(self._stream.space()))
            if not isinstance(event, CommandReceived):
                raise PeerGone(str(event))
            answer = dimse.decode(event.command)
            ours = answer.field == dimse.C_STORE_RQ | dimse.RESPONSE and answer.responded_to == self._message_id
            if not ours or answer.status is None or answer.has_data_set:
                raise BadCommand("not the answer to our request")
            return answer.status

    @contextlib.contextmanager
    def _faults_of_the_machine(self) -> Iterator[None]:
        try:
            yield
        except (PeerGone, TimeLimit, BadPdu, BadCommand) as error:
            self.abort()
            raise Lost(_("%s a coupé pendant l'envoi.") % self._device.ae_title) from error
        except FileShort:
            self.abort()
            raise

    # The end

    def release(self) -> None:
        """Leave politely: wait for the answer, but not long."""
        wire = self._wire
        if wire is None:
            return
        self._await(self._patience.release)
        with contextlib.suppress(PeerGone, TimeLimit):
            wire.send(upper_layer.RELEASE_REQUEST, self._waiting)
            wire.receive(memoryview(bytearray(64)))
        self.close()

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.try_send(upper_layer.abort(source=0))
        self.close()

    def close(self) -> None:
        self._shipment.unload()
        if self._wire is not None:
            self._wire.socket.close()
            self._wire = None

    # Waiting

    def _await(self, seconds: float) -> None:
        self._limit, self._since = seconds, self._clock.monotonic()

    def _waiting(self) -> None:
        """A tick without a byte."""
        self._watch()
        if self._clock.monotonic() - self._since > self._limit:
            raise TimeLimit(f"nothing for {self._limit:g} s")

    def _connected(self) -> socket.socket:
        """A connection, made without blocking for longer than a tick. Raises `Unreachable`."""
        device = self._device
        if not device.host or not device.port:
            raise Unreachable(_("%s n'écoute pas : adresse ou port absents de sa fiche.") % device.ae_title)
        self._await(self._patience.connect)
        fault: Exception | None = None
        try:
            found = socket.getaddrinfo(device.host, device.port, type=socket.SOCK_STREAM)
            for family, kind, protocol, _name, address in found[:4]:
                connection = socket.socket(family, kind, protocol)
                try:
                    self._try(connection, address)
                except (OSError, TimeLimit) as error:
                    connection.close()
                    fault = error
                    continue
                except BaseException:
                    connection.close()
                    raise
                return connection
        except OSError as error:
            fault = error
        raise Unreachable(_silent(device)) from fault

    def _try(self, connection: socket.socket, address: object) -> None:
        connection.setblocking(False)
        code = connection.connect_ex(address)  # type: ignore[arg-type]
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        while not poll.poll(self._patience.tick * 1000):
            self._waiting()
        if code := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, "connect")

    def _acceptance(self) -> Accepted:
        """Raises `PeerGone`, `TimeLimit`, `BadAssociate`, and `Unreachable` when we are turned away."""
        kind, size = upper_layer.HEADER.unpack(self._exactly(6))
        if size > MOST_ANSWER:
            raise BadAssociate(f"answer of {size} bytes")
        body = self._exactly(size)
        if kind == upper_layer.ASSOCIATE_AC:
            return associate.decode_acceptance(body)
        if kind == upper_layer.ASSOCIATE_RJ:
            raise Unreachable(
                _("%s refuse notre association (titre AE ou adresse à déclarer).") % self._device.ae_title
            )
        raise PeerGone(f"PDU {kind}")

    def _exactly(self, size: int) -> bytes:
        assert self._wire is not None
        data = bytearray(size)
        view = memoryview(data)
        while view:
            view = view[self._wire.receive(view) :]
        return bytes(data)


def _silent(device: Device) -> str:
    return _("%s ne répond pas (%s:%d).") % (device.ae_title, device.host, device.port)
