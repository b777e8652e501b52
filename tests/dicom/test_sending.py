"""Whatever its size and the peer's PDU, an object arrives as the same bytes, in fragments that the peer can hold."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from core.archive.outgoing import Body
from core.dicom import dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.sending import ROOM, Shipment, store_command
from core.dicom.wire import FileShort, PeerGone, Wire
from tests.dicom.dataset import CT


def nothing() -> None:
    """The peer takes its time."""


def body(folder: Path, head: bytes, rest: bytes, before: int = 7) -> Body:
    path = folder / "file"
    path.write_bytes(bytes(before) + rest)
    return Body(os.open(path, os.O_RDONLY), before, len(rest), EXPLICIT_LE, head)


def received(content: Body, max_pdu: int) -> tuple[bytes, bytes, list[int]]:
    """Command, data set and the length of each PDU, as a peer reads them."""
    ours, theirs = socket.socketpair()
    got = bytearray()

    def read() -> None:
        while piece := theirs.recv(1 << 20):
            got.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    shipment = Shipment()
    shipment.load(3, store_command(1, CT, "1.2.3"), content, max_pdu)
    shipment.send(Wire(ours, nothing), nothing)
    ours.close()
    reader.join()
    theirs.close()
    assert content.descriptor == -1  # closed
    command, data, lengths, at, last = b"", b"", [], 0, 0
    while at < len(got):
        _kind, length = upper_layer.HEADER.unpack_from(got, at)
        size, _context, control = upper_layer.PDV.unpack_from(got, at + 6)
        assert size + 4 == length
        piece = bytes(got[at + 12 : at + 6 + length])
        command, data = (command + piece, data) if control & upper_layer.COMMAND else (command, data + piece)
        lengths.append(length)
        last = control
        at += 6 + length
    assert last == upper_layer.LAST
    return command, data, lengths


@pytest.mark.parametrize("max_pdu", [0, 512, 4096, 16_383, 16_384, 131_072, 10 << 20])
@pytest.mark.parametrize(("head", "rest"), [(0, 2), (0, 526_000), (1200, 300), (70_000, 3 * ROOM), (0, ROOM - 12)])
def test_the_same_bytes_arrive(tmp_path: Path, max_pdu: int, head: int, rest: int) -> None:
    before, after = os.urandom(head), os.urandom(rest)
    command, data, lengths = received(body(tmp_path, before, after), max_pdu)
    assert data == before + after
    assert dimse.decode(command).sop_instance == "1.2.3"
    assert max(lengths) <= (max_pdu or 131_072)
    assert all(length % 2 == 0 for length in lengths[1:])


def test_a_file_that_ends_early_is_not_begun(tmp_path: Path) -> None:
    short = body(tmp_path, b"", bytes(100))
    short.length = 200
    with pytest.raises(FileShort):
        Shipment().load(3, store_command(1, CT, "1.2.3"), short, 0)
    assert short.descriptor == -1


def test_a_peer_that_left_ends_the_sending(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    shipment = Shipment()
    content = body(tmp_path, b"", bytes(100))
    shipment.load(3, store_command(1, CT, "1.2.3"), content, 0)
    with pytest.raises(PeerGone):
        shipment.send(Wire(ours, nothing), nothing)
    assert content.descriptor == -1
    ours.close()
