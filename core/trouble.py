"""What the operating system refused, in the site's language: its own words are English whoever reads them."""

from __future__ import annotations

import errno
import os

from core.i18n import _


def reason_of(error: OSError) -> str:
    """« plus de place sur le disque »: to stand after a colon."""
    words = {
        errno.ENOSPC: _("plus de place sur le disque"),
        errno.EDQUOT: _("plus de place pour ce compte"),
        errno.EFBIG: _("fichier trop grand pour ce disque"),
        errno.EACCES: _("ce compte n'en a pas le droit"),
        errno.EPERM: _("ce compte n'en a pas le droit"),
        errno.EROFS: _("le disque est en lecture seule"),
        errno.EIO: _("le disque ne répond plus correctement"),
        errno.ENOENT: _("n'existe pas"),
        errno.EEXIST: _("existe déjà"),
        errno.ENOTDIR: _("n'est pas un dossier"),
        errno.EISDIR: _("est un dossier"),
        errno.ENAMETOOLONG: _("nom trop long"),
        errno.EMFILE: _("trop de fichiers ouverts"),
        errno.ENFILE: _("trop de fichiers ouverts"),
        errno.ENOMEM: _("plus de mémoire"),
        errno.ECONNREFUSED: _("connexion refusée"),
        errno.ECONNRESET: _("connexion coupée"),
        errno.EPIPE: _("connexion coupée"),
        errno.EHOSTUNREACH: _("machine injoignable"),
        errno.ENETUNREACH: _("réseau injoignable"),
        errno.ETIMEDOUT: _("pas de réponse à temps"),
    }
    number = error.errno or 0
    return words.get(number) or _("refusé par le système (%s)") % errno.errorcode.get(number, type(error).__name__)


def sentence_of(error: OSError) -> str:
    """The file when there is one, what is wrong with it, and nothing of Python."""
    reason = reason_of(error)
    return f"{os.fsdecode(error.filename)} : {reason}" if error.filename else f"{reason[:1].upper()}{reason[1:]}."
