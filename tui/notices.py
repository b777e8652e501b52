"""What a screen says of an error: the sentence of the core, and what to do when the core did not answer."""

from __future__ import annotations

from core.errors import OutOfResources, Unreachable, YelenError
from core.i18n import _


def sentence_of(error: YelenError) -> str:
    """One line for the status row."""
    sentence = str(error).replace("\n", " ")
    if isinstance(error, Unreachable):
        return _("%s Rien n'est perdu à l'écran : refaire la touche.") % sentence
    if isinstance(error, OutOfResources):
        return _("%s Refaire plus tard.") % sentence
    return sentence


def ago(seconds: float) -> str:
    """« 12 s », « 3 min », « 2 h »."""
    if seconds < 60:
        return _("%d s") % (seconds // 5 * 5)
    if seconds < 3600:
        return _("%d min") % (seconds // 60)
    return _("%d h") % (seconds // 3600)


def core_down(seconds: float, as_of: str, why: str = "") -> str:
    """The banner of the title line when the core has been away for more than a few seconds. why: its last word."""
    sentence = why.rstrip(".") or _("Serveur arrêté depuis %s — lecture seule") % ago(seconds)
    return _("%s, données du %s") % (sentence, as_of) if as_of else sentence
