"""French in the source, other languages from gettext catalogues in `core/locale`.

`_` is called when a sentence is spoken, never at import, so one process may be asked for either language.
"""

from __future__ import annotations

import gettext
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
_spoken: gettext.NullTranslations = gettext.NullTranslations()


def speak(language: str) -> None:
    """Choose the language of every later sentence: `fr` (the source) or a catalogue that exists, such as `en`."""
    global _spoken
    if language == "fr":
        _spoken = gettext.NullTranslations()
    else:
        _spoken = gettext.translation("yelen", LOCALE, languages=[language], fallback=True)


def _(sentence: str) -> str:
    """The sentence in the language spoken now."""
    return _spoken.gettext(sentence)


def plural(one: str, many: str, n: int) -> str:
    """The sentence for `n` things. French says « 0 image »: `one` stands for 0 and 1."""
    if type(_spoken) is gettext.NullTranslations:
        return one if n < 2 else many
    return _spoken.ngettext(one, many, n)
