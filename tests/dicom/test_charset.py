"""Text of machines: as declared, guessed with a mark, and written so that the machine can read it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from core.archive.part10 import read_file_meta
from core.dicom.charset import Encoder, charset_of
from core.dicom.header import BadHeader, walk
from core.errors import BadMessage
from tests.skips import corpus, needs_corpus


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        (b"", b"DIALLO^Awa", "DIALLO^Awa"),
        (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (b"ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
        (b"ISO_IR 144", b"\xbb\xee\xdac\x65\xdc\xd1yp\xd3", "Люкceмбypг"),
        (b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        (b"GB18030", b"Wang=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang=王^小东"),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        (b"\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
        (b"ISO 2022 IR 100", b"J\xe9r\xf4me", "Jérôme"),
    ],
)
def test_declared_text_is_read(declared: bytes, value: bytes, text: str) -> None:
    assert charset_of(declared).decode(value) == (text, False)


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        (b"", "Aïssata".encode(), "Aïssata"),  # undeclared UTF-8
        (b"", b"A\xefssata", "Aïssata"),  # undeclared Latin-1
        (b"ISO_IR 100", "Aïssata".encode(), "Aïssata"),  # UTF-8 declared Latin-1
        (b"ISO_IR 192", b"A\xefssata", "Aïssata"),  # Latin-1 declared UTF-8
        (b"KLINGON", b"A\xefssata", "Aïssata"),
    ],
)
def test_what_must_be_guessed_is_read_and_marked(declared: bytes, value: bytes, text: str) -> None:
    assert charset_of(declared).decode(value) == (text, True)


@pytest.mark.parametrize("misspelled", [b"ISO-IR 100", b"latin1", b"ISO_IR100", b"iso_ir 100", b"ISO_8859-1"])
def test_known_misspellings_are_understood(misspelled: bytes) -> None:
    assert charset_of(misspelled).decode(b"J\xe9r\xf4me") == ("Jérôme", False)


def test_undecoded_escape_sequences_never_reach_a_screen() -> None:
    text, _ = charset_of(b"").decode(b"Li\x1b$)A^Na\x1b[31m")
    assert "\x1b" not in text
    assert text.isprintable()


@given(st.binary(max_size=40), st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_under_any_declaration_become_printable_text(declared: bytes, value: bytes) -> None:
    text, _ = charset_of(declared).decode(value)
    assert "\x1b" not in text
    assert "\0" not in text


@needs_corpus
def test_real_files_read_as_pydicom_reads_them() -> None:
    folder = corpus()
    assert folder is not None
    compared = 0
    for path in sorted((folder / "charset").glob("pydicom__chr*.dcm")):
        data = path.read_bytes()
        try:
            meta = read_file_meta(data)
            header = walk(data[meta.dataset_offset :], meta.transfer_syntax)
        except (BadMessage, BadHeader):
            continue
        assert header.patient_name.rstrip("=") == str(dcmread(path).PatientName), path.name
        assert not header.charset_suspect, path.name
        compared += 1
    assert compared >= 6


@pytest.mark.parametrize(
    ("term", "declared", "written"),
    [
        ("ISO_IR 100", "ISO_IR 100", "Œdème d’Aïssata".replace("Œ", "OE").replace("’", "'").encode("latin-1")),
        ("ISO_IR 192", "ISO_IR 192", "Œdème d’Aïssata".encode()),
        ("ascii", "", b"OEdeme d'Aissata"),
    ],
)
def test_a_machine_gets_what_it_can_read_and_never_a_question_mark(term: str, declared: str, written: bytes) -> None:
    encoder = Encoder(term)
    assert (encoder.declared, encoder.encode("Œdème d’Aïssata")) == (declared, written)
    assert b"?" not in encoder.encode("Ɛ 王 ł")
