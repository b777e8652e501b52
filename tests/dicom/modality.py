"""A modality made of bytes: it says exactly what a test wants, well or badly."""

from __future__ import annotations

import socket
import struct

from core.dicom import conformance, dimse, upper_layer
from core.dicom.dimse import Command, decode

Contexts = list[tuple[int, str, list[str]]]
ECHO_CONTEXT: Contexts = [(1, conformance.VERIFICATION, [conformance.IMPLICIT_LE])]
PATIENCE = 20.0  # against hanging only


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def associate_request(
    contexts: Contexts = ECHO_CONTEXT,
    calling: bytes = b"CT1",
    called: bytes = b"YELEN",
    max_pdu: int = 16_384,
    application: str = "1.2.840.10008.3.1.1.1",
    version: int = 1,
    user: bytes = b"",
) -> bytes:
    body = struct.pack(">Hxx16s16s32x", version, called.ljust(16), calling.ljust(16)) + item(0x10, application.encode())
    for number, abstract, transfers in contexts:
        inner = item(0x30, abstract.encode()) + b"".join(item(0x40, syntax.encode()) for syntax in transfers)
        body += item(0x20, bytes((number, 0, 0, 0)) + inner)
    body += item(0x50, item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.3.4") + user)
    return upper_layer.HEADER.pack(upper_layer.ASSOCIATE_RQ, len(body)) + body


def echo_command(message_id: int = 1) -> bytes:
    return dimse.encode(
        [
            (dimse.AFFECTED_SOP_CLASS, conformance.VERIFICATION),
            (dimse.COMMAND_FIELD, dimse.C_ECHO_RQ),
            (dimse.MESSAGE_ID, message_id),
            (dimse.DATA_SET_TYPE, dimse.NO_DATA_SET),
        ]
    )


def request_command(field: int, sop_class: str, message_id: int = 1, instance: str = "", data: bool = True) -> bytes:
    elements: list[tuple[int, int | str]] = [
        (dimse.AFFECTED_SOP_CLASS, sop_class),
        (dimse.COMMAND_FIELD, field),
        (dimse.MESSAGE_ID, message_id),
        (dimse.PRIORITY, 0),
        (dimse.DATA_SET_TYPE, dimse.WITH_DATA_SET if data else dimse.NO_DATA_SET),
    ]
    if instance:
        elements.append((dimse.AFFECTED_INSTANCE, instance))
    return dimse.encode(elements)


def cancel_command(message_id: int) -> bytes:
    return dimse.encode(
        [
            (dimse.COMMAND_FIELD, dimse.C_CANCEL_RQ),
            (dimse.RESPONDED_TO, message_id),
            (dimse.DATA_SET_TYPE, dimse.NO_DATA_SET),
        ]
    )


class Closed(Exception):
    """The server closed the connection."""


class Modality:
    """One TCP connection to the server, from a loopback address of its own."""

    def __init__(self, address: tuple[str, int], source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(address, PATIENCE, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Modality:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionError as error:
                raise Closed from error
            if not piece:
                raise Closed
            data += piece
        return data

    def pdu(self) -> tuple[int, bytes]:
        kind, size = upper_layer.HEADER.unpack(self._exactly(6))
        return kind, self._exactly(size)

    def is_closed(self) -> bool:
        """Waits until the server closes; an abort may come first."""
        try:
            while True:
                self._exactly(1)
        except Closed:
            return True

    def associate(self, **request: object) -> bytes:
        """The body of the A-ASSOCIATE-AC."""
        self.send(associate_request(**request))  # type: ignore[arg-type]
        kind, body = self.pdu()
        assert kind == upper_layer.ASSOCIATE_AC, (kind, body)
        return body

    def message(self) -> tuple[Command, bytes]:
        """The next whole message: its command and its data set."""
        command, data, wanted = b"", b"", True
        while True:
            kind, body = self.pdu()
            if kind != upper_layer.P_DATA_TF:
                raise AssertionError(f"PDU {kind}: {body.hex()}")
            while body:
                size, _, control = upper_layer.PDV.unpack_from(body)
                piece, body = body[6 : size + 4], body[size + 4 :]
                if control & upper_layer.COMMAND:
                    command += piece
                    wanted = decode(command).has_data_set if control & upper_layer.LAST else True
                else:
                    data += piece
                if control & upper_layer.LAST and (not wanted or not control & upper_layer.COMMAND):
                    return decode(command), data

    def ask(self, context_id: int, command: bytes, data: bytes | None = None, max_pdu: int = 16_384) -> int | None:
        """Send a request; the status of the next response."""
        self.send(upper_layer.message(context_id, command, data, max_pdu))
        return self.message()[0].status

    def echo(self) -> int | None:
        return self.ask(1, echo_command())

    def release(self) -> None:
        self.send(upper_layer.RELEASE_REQUEST)
        assert self.pdu()[0] == upper_layer.RELEASE_RP
