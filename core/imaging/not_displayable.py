"""Why an image cannot be shown: one typed refusal, one French sentence for each reason."""

from __future__ import annotations

from enum import StrEnum

from core.errors import YelenError
from core.i18n import _


class Reason(StrEnum):
    """What stood between the file and the screen."""

    NO_PIXELS = "no-pixels"
    NO_SUCH_FRAME = "no-such-frame"
    MIXED_FRAMES = "mixed-frames"
    UNREADABLE = "unreadable"
    BAD_HEADER = "bad-header"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    UNKNOWN_SYNTAX = "unknown-syntax"
    CODEC_FAILED = "codec-failed"
    NO_MEMORY = "no-memory"
    TOO_LONG = "too-long"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


Fact = str | int
"""A value that a sentence shows: it crosses the process boundary as it is."""


class NotDisplayable(YelenError):
    """An object that is kept, indexed and sent as stored, but of which no picture can be made.

    `reason` and `facts` survive the way back from the worker process; the sentence is spoken where it is read.
    """

    def __init__(self, reason: Reason, **facts: Fact) -> None:
        super().__init__(_sentence(reason) % facts)
        self.reason = reason
        self.facts = facts


def _sentence(reason: Reason) -> str:
    return {
        Reason.NO_PIXELS: _("Cet objet ne contient pas d'image."),
        Reason.NO_SUCH_FRAME: _("Pas d'image n° %(wanted)d dans cet objet : il en compte %(frames)d."),
        Reason.MIXED_FRAMES: _("Impossible de dire où commence chacune des %(frames)d images de ce fichier."),
        Reason.UNREADABLE: _("Fichier illisible."),
        Reason.BAD_HEADER: _("En-tête d'image incohérent : %(field)s."),
        Reason.TRUNCATED: _("Fichier tronqué : %(whole)d image(s) entière(s) sur %(frames)d."),
        Reason.TOO_LARGE: _("Image trop grande pour être affichée : %(columns)d × %(rows)d."),
        Reason.UNKNOWN_SYNTAX: _("Syntaxe non affichable : %(syntax)s."),
        Reason.CODEC_FAILED: _("Image illisible : décodage impossible (%(syntax)s)."),
        Reason.NO_MEMORY: _("Mémoire insuffisante pour décoder cette image."),
        Reason.TOO_LONG: _("Décodage abandonné après %(seconds)d s."),
        Reason.CRASHED: _("Image non affichable : le décodeur s'est arrêté deux fois sur ce fichier."),
        Reason.CANCELLED: _("Demande abandonnée."),
        Reason.STOPPED: _("Le service d'images est arrêté."),
    }[reason]
