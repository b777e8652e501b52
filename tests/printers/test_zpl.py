"""Labels in ZPL: no field, whatever its letters, can become a command."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from printers import zpl
from tests.printers.paper import EXAM

HOSTILE = ["^XZ", "~JA", "\\&", "_5E", "^FS^XA", "\x1b%-12345X", "^CC+", "~HS", "_", "\r\n^XA", "é^é"]


def commands(label: bytes) -> list[bytes]:
    """Every command as a printer finds it, without the parameters that follow positions and sizes."""
    return re.findall(rb"[\^~][A-Z@][A-Z0-9@]?", label)


def decoded(escaped: bytes) -> str:
    """What ^FH makes of a field: `_XX` is a byte."""
    return re.sub(rb"_([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), escaped).decode()


def test_the_golden_label() -> None:
    assert zpl.label(EXAM).decode() == (
        "^XA^CI28^PW400^LL200^LH0,0\n"
        "^FO10,6^A0N,30,30^FH_^FDOU_C3_89DRAOGO^FS\n"
        "^FO10,36^A0N,27,27^FH_^FDA_C3_AFssata^FS\n"
        "^FO10,64^A0N,21,21^FH_^FDN_C3_A9e le 12/05/2022_C2_A0_C2_B7_C2_A0F^FS\n"
        "^FO256,64^A0N,21,21^FH_^FDCDG0012345^FS\n"
        "^FO10,86^A0N,17,17^FH_^FDScanner c_C3_A9r_C3_A9bral sans inject_E2_80_A6^FS\n"
        "^FO256,86^A0N,21,21^FH_^FD27-000512^FS\n"
        "^FO22,110^BY2^BCN,38,N,N,N,A^FH_^FDCDG0012345^FS\n"
        "^FO22,156^BY2^BCN,38,N,N,N,A^FH_^FD27-000512^FS\n"
        "^XZ\n"
    )


def test_a_qr_field_announces_its_mode() -> None:
    assert zpl.qr(10, 20, "27-000512") == b"^FO10,20^BQN,2,4^FH_^FDMA,27-000512^FS"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_adds_no_command(hostile: str) -> None:
    label = zpl.label(replace(EXAM, family_name=hostile, given_names=hostile, exam_label=hostile))
    assert commands(label) == commands(zpl.label(EXAM))


def test_no_code_point_can_start_a_command() -> None:
    """All of them, surrogates included: only plain letters, digits, a few marks and `_XX` come out."""
    for start in range(0, 0x110000, 4096):
        letters = "".join(map(chr, range(start, start + 4096)))
        assert re.fullmatch(rb"(?:[A-Za-z0-9 .\-/]|_[0-9A-F]{2})*", zpl.escape(letters))


@settings(deadline=None)
@given(st.text())
def test_a_field_is_read_back_as_it_was_written(content: str) -> None:
    composed = unicodedata.normalize("NFC", content)
    visible = "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in composed)
    assert decoded(zpl.escape(content)) == visible


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_name_gives_the_commands_of_the_label_and_no_more(family: str, given_names: str) -> None:
    label = zpl.label(replace(EXAM, family_name=family, given_names=given_names))
    assert commands(label) == commands(zpl.label(EXAM))


@pytest.mark.parametrize("number", ["", "É12", "12\n", "1" * 33])
def test_a_number_that_no_bar_code_can_hold_is_refused(number: str) -> None:
    with pytest.raises(BadInput):
        zpl.code_128(0, 0, number, 40)


def test_the_numbers_of_a_label_fit_its_width() -> None:
    assert 2 * zpl.modules("CDG0012345") <= zpl.WIDE - 40
    assert zpl.modules("27-000513-UBNH12") <= zpl.WIDE - 40
