"""Brings the English catalogue up to date with the sentences of the code: `python -m install.catalogue`.

New sentences come in without a translation, those that are gone leave. Sentences inside f-strings count too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
FOLDERS = ("core", "kiosk", "tui", "scanners", "printers", "install")
ENGLISH = ROOT / "core" / "locale" / "en" / "LC_MESSAGES" / "yelen.po"
HEADER = [
    ("Project-Id-Version", "yelen"),
    ("Language", "en"),
    ("Plural-Forms", "nplurals=2; plural=(n != 1);"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "8bit"),
]
Sentence = str | tuple[str, ...]


def sentences() -> Iterator[Sentence]:
    """Every argument of `_` and `plural` in the code and in the pages."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from of_python(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("templates/**/*.html")):
            for found in extract_from_file("jinja2", str(path), keywords={"_": None, "plural": (1, 2)}):
                yield found[1]


def of_python(code: str) -> Iterator[Sentence]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "plural"):
            wanted = node.args[:1] if node.func.id == "_" else node.args[:2]
            texts = [a.value for a in wanted if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if texts and len(texts) == len(wanted):
                yield texts[0] if node.func.id == "_" else tuple(texts)


def template() -> Catalog:
    """What there is to translate, in alphabetical order."""
    catalogue = Catalog()
    for sentence in sorted(set(sentences()), key=lambda s: s if isinstance(s, str) else s[0]):
        catalogue.add(sentence)
    return catalogue


def update(po: Path) -> int:
    """Rewrite a catalogue; how many sentences it still leaves in French."""
    with po.open("rb") as source:
        catalogue = read_po(source)
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    with po.open("wb") as target:
        target.write(b'# English words of Yelen; French is in the source.\nmsgid ""\nmsgstr ""\n')
        target.writelines(f'"{name}: {value}\\n"\n'.encode() for name, value in HEADER)
        target.write(b"\n")
        write_po(target, catalogue, width=110, omit_header=True, sort_output=True)
    return sum(1 for message in catalogue if message.id and not _is_translated(message))


def _is_translated(message: Message) -> bool:
    said = message.string or ""
    return all((said,) if isinstance(said, str) else said)


if __name__ == "__main__":
    print(f"{ENGLISH} : {update(ENGLISH)} phrases sans traduction")
