"""The English catalogue: it compiles, it is heard, and it keeps the places where values go."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from core import i18n
from install.build_hook import compile_catalogue
from install.catalogue import of_python

PO = i18n.LOCALE / "en" / "LC_MESSAGES" / "yelen.po"
PLACE = re.compile(r"%(?:\(\w+\))?[-0-9.]*[a-z]|%%")


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The catalogues of this checkout, compiled now; afterwards French is spoken again."""
    copies = Path(shutil.copytree(i18n.LOCALE, tmp_path / "locale"))
    for po in copies.rglob("*.po"):
        compile_catalogue(po)
    monkeypatch.setattr(i18n, "LOCALE", copies)
    yield copies
    i18n.speak("fr")


def messages() -> list[Message]:
    with PO.open("rb") as source:
        return [message for message in read_po(source, locale="en") if message.id]


def places(text: str) -> list[str]:
    """In order, for what is filled by position; by name when they have names."""
    found = PLACE.findall(text)
    return sorted(found) if any("(" in place for place in found) else found


@pytest.mark.usefixtures("compiled")
def test_speaking_english_changes_a_sentence() -> None:
    i18n.speak("en")
    assert i18n._("réglage inconnu") == "unknown setting"
    i18n.speak("fr")
    assert i18n._("réglage inconnu") == "réglage inconnu"


@pytest.mark.usefixtures("compiled")
def test_english_has_its_own_plurals() -> None:
    i18n.speak("en")
    assert [i18n.plural("%d image", "%d images", n) % n for n in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    i18n.speak("fr")
    assert [i18n.plural("%d image", "%d images", n) % n for n in (0, 1, 2)] == ["0 image", "1 image", "2 images"]


@pytest.mark.usefixtures("compiled")
def test_a_language_without_a_catalogue_leaves_the_french() -> None:
    i18n.speak("de")
    assert i18n._("réglage inconnu") == "réglage inconnu"


def test_sentences_are_found_wherever_they_are_spoken() -> None:
    code = 'x = f"a {_(\'un\')} b"; plural("deux", "trois", n); _("quatre" "cinq"); _(variable)'
    assert sorted(map(str, of_python(code))) == ["('deux', 'trois')", "quatrecinq", "un"]


def test_a_translation_has_the_same_places_as_its_source() -> None:
    for message in messages():
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        translations = message.string if isinstance(message.string, tuple) else (message.string,)
        for source, translation in zip(sources, translations, strict=True):
            assert not translation or places(source) == places(translation), source
