"""Command sets: read or refused, and written as dcmtk and pynetdicom read them."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from core.dicom import dimse
from core.dicom.dimse import BadCommand, Command, Reply
from core.errors import BadMessage
from tests.dicom.modality import request_command

STORE = request_command(dimse.C_STORE_RQ, "1.2.840.10008.5.1.4.1.1.2", 513, "1.2.3.4")


def test_a_store_request_is_read() -> None:
    assert dimse.decode(STORE) == Command(
        dimse.C_STORE_RQ, 513, "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", has_data_set=True
    )


def test_trailing_spaces_and_nuls_are_stripped() -> None:
    command = dimse.decode(dimse.encode([(0x0002, "1.2 "), (0x0100, 0x30), (0x1000, "1.2.3\0")]))
    assert (command.sop_class, command.sop_instance) == ("1.2", "1.2.3")


def test_bytes_outside_ascii_never_become_a_uid() -> None:
    command = dimse.decode(dimse.encode([(0x0002, "x"), (0x0100, 1)]).replace(b"x\0", b"\xe9\xff"))
    assert not command.sop_class.isascii()


@pytest.mark.parametrize("size", range(len(STORE)))
def test_a_command_cut_short_is_bad_or_shorter(size: int) -> None:
    with contextlib.suppress(BadCommand):
        assert dimse.decode(STORE[:size]) != dimse.decode(STORE)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_understood_or_bad(noise: bytes) -> None:
    with contextlib.suppress(BadMessage):
        dimse.decode(noise)


def test_elements_of_another_group_are_refused() -> None:
    with pytest.raises(BadCommand):
        dimse.decode(STORE.replace(b"\0\0\x10\x01", b"\x10\0\x10\x01"))


def test_pydicom_reads_our_response() -> None:
    reply = Reply(0xA900, comment="x" * 80, error_id=0xA710, counters=(1, 2, 3, 4))
    written = dimse.response(dimse.decode(STORE), reply)
    read = read_dataset(io.BytesIO(written), True, True)
    assert read.CommandGroupLength == len(written) - 12
    assert (read.CommandField, read.MessageIDBeingRespondedTo, read.Status) == (0x8001, 513, 0xA900)
    assert read.AffectedSOPInstanceUID == "1.2.3.4"
    assert read.ErrorComment == "x" * 64
    assert read.ErrorID == 0xA710
    assert read.CommandDataSetType == dimse.NO_DATA_SET
    assert read.NumberOfWarningSuboperations == 4
    assert list(read.keys()) == sorted(read.keys())
