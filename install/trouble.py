"""What the operating system refused, as one French sentence."""

from __future__ import annotations

import errno
import os

from core.i18n import _


def sentence_of(error: OSError) -> str:
    """The file when there is one, what is wrong with it, and nothing of Python."""
    words = {
        errno.ENOSPC: _("plus de place sur le disque"),
        errno.EDQUOT: _("plus de place pour ce compte"),
        errno.EACCES: _("ce compte n'en a pas le droit"),
        errno.EPERM: _("ce compte n'en a pas le droit"),
        errno.EROFS: _("le disque est en lecture seule"),
        errno.EIO: _("le disque ne répond plus correctement"),
        errno.ENOENT: _("n'existe pas"),
        errno.EEXIST: _("existe déjà"),
        errno.ENOTDIR: _("n'est pas un dossier"),
        errno.EISDIR: _("est un dossier"),
        errno.EMFILE: _("trop de fichiers ouverts"),
    }
    number = error.errno or 0
    told = words.get(number) or _("refusé par le système (%s)") % errno.errorcode.get(number, type(error).__name__)
    return f"{os.fsdecode(error.filename)} : {told}" if error.filename else f"{told[:1].upper()}{told[1:]}."
