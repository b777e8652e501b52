"""Where each value was written: the file and its lines, then what the command line puts over it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import BadConfig
from core.i18n import _

_TABLE = re.compile(r"^\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")
_AT = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")
_MAX_BYTES = 1_000_000


@dataclass(slots=True)
class Written:
    """Raw values by `section.key`, and where each stands (`yelen.toml:12`, or `--set`)."""

    file: str
    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        return self.places.get(key, self.file)


def read(path: Path) -> Written:
    """What the file says. Raises `BadConfig` when it is absent or is no TOML: then nothing else can be said."""
    try:
        content = path.read_bytes()[:_MAX_BYTES].decode("utf-8")
    except FileNotFoundError:
        raise BadConfig([_("%s : ce fichier n'existe pas (« yelen init » le crée)") % path]) from None
    except (OSError, UnicodeDecodeError):
        raise BadConfig([_("%s : illisible (droits, ou pas du texte UTF-8)") % path]) from None
    try:
        tables = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig([_syntax(path, content, str(error))]) from None
    written = Written(path.name)
    _flatten(tables, written)
    _locate(content, written)
    return written


def override(written: Written, settings: Iterable[str]) -> list[str]:
    """Put `section.key=value` over the file; the faults of settings that are not of that form."""
    faults = []
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", key):
            faults.append(_("--set %s : écrire section.clé=valeur") % setting)
            continue
        written.values[key] = _spoken(text.strip())
        written.places[key] = "--set"
    return faults


class Spoken(str):
    """Text from the command line, whose type the key decides: `8080` may be a port or a name."""


def _spoken(text: str) -> object:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return Spoken(text)


def _flatten(tables: dict[str, object], written: Written) -> None:
    for section, content in tables.items():
        if not isinstance(content, dict):
            written.values[section] = content
            continue
        for key, value in content.items():
            written.values[f"{section}.{key}"] = value
        if not content:
            written.values.setdefault(f"{section}.", None)


def _locate(content: str, written: Written) -> None:
    """Line of every `key =` under its `[section]`: the file is flat, so this needs no parser."""
    section = ""
    for number, line in enumerate(content.splitlines(), start=1):
        if table := _TABLE.match(line):
            section = table[1]
            written.places.setdefault(f"{section}.", f"{written.file}:{number}")
        elif key := _KEY.match(line):
            name = f"{section}.{key[1]}" if section else key[1]
            written.places.setdefault(name, f"{written.file}:{number}")


def _syntax(path: Path, content: str, english: str) -> str:
    found = _AT.search(english)
    if found and found[1]:
        line = content.splitlines()[int(found[1]) - 1 : int(found[1])]
        shown = line[0].strip()[:60] if line else ""
        return _("%s:%s : écriture incorrecte, colonne %s : %s") % (path.name, found[1], found[2], shown)
    return _("%s:%d : écriture incorrecte à la fin du fichier") % (path.name, len(content.splitlines()))
