"""Letters: what a message means, whatever it declares. No `?` ever takes the place of an accent."""

from __future__ import annotations

import pytest

from core.errors import BadMessage
from core.hl7.text import Charsets, Decoded, decode

NAME = "PID|||12||OUÉDRAOGO^Aïssata"


def message(character_set: str, name: bytes) -> list[bytes]:
    return [b"MSH|^~\\&|HIS||||||ADT^A04|1|P|2.5||||||" + character_set.encode(), name]


def name_of(decoded: Decoded) -> str:
    return decoded.segments[1]


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("8859/1~UNICODE UTF-8", "latin-1"),
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("", "utf-8"),
        ("", "cp1252"),
        ("ASCII", "latin-1"),
    ],
)
def test_a_name_is_read_with_its_accents(declared: str, codec: str) -> None:
    decoded = decode(message(declared, NAME.encode(codec)))
    assert name_of(decoded) == NAME
    assert not decoded.suspect


def test_the_ligature_of_latin_9_and_of_windows() -> None:
    assert name_of(decode(message("8859/15", "PID|||1||NŒL".encode("iso8859-15")))) == "PID|||1||NŒL"
    assert name_of(decode(message("8859/1", "PID|||1||NŒL".encode("cp1252")))) == "PID|||1||NŒL"


@pytest.mark.parametrize(("declared", "really"), [("UNICODE UTF-8", "latin-1"), ("8859/1", "utf-8")])
def test_a_set_declared_wrongly_gives_the_right_letters_and_a_warning(declared: str, really: str) -> None:
    decoded = decode(message(declared, NAME.encode(really)))
    assert name_of(decoded) == NAME
    assert decoded.suspect
    assert decoded.warnings


@pytest.mark.parametrize(("declared", "really"), [("UNICODE UTF-8", "latin-1")])
def test_a_strict_sender_is_held_to_its_word(declared: str, really: str) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(message(declared, NAME.encode(really)), Charsets(strict=True))
    assert caught.value.reason == "charset MSH-1-18"


def test_bytes_that_fit_no_set_are_refused_rather_than_replaced() -> None:
    with pytest.raises(BadMessage) as caught:
        decode(message("UNICODE UTF-8", b"PID|||1||OU\x81\xffDRAOGO"))
    assert caught.value.reason == "charset MSH-1-18"


def test_an_unknown_term_is_refused_unless_the_sender_says_what_it_means() -> None:
    with pytest.raises(BadMessage) as caught:
        decode(message("KLINGON", NAME.encode()))
    assert caught.value.reason == "unknown-charset MSH-1-18"
    assert name_of(decode(message("WINDOWS", NAME.encode("cp1252")), Charsets(terms={"WINDOWS": "cp1252"}))) == NAME


def test_control_characters_are_removed_with_a_warning() -> None:
    decoded = decode(message("", b"PID|||1||OUE\x00DR\x1b[31mAOGO\x7f"))
    assert name_of(decoded) == "PID|||1||OUEDR[31mAOGO"
    assert decoded.warnings == ("caractères de contrôle retirés",)


def test_decomposed_accents_are_composed() -> None:
    assert name_of(decode(message("UNICODE UTF-8", "PID|||1||TRAORE\u0301".encode()))) == "PID|||1||TRAORÉ"
