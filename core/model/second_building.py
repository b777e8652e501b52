"""How the second building stands, in one French sentence that every screen shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.i18n import _


def sentence(replica: Mapping[str, Any]) -> str:
    """« second bâtiment : à jour », or how late it is. `replica`: what `status` says under that name; {} unknown."""
    if not replica:
        return _("second bâtiment : état inconnu")
    if replica.get("role") == "replica":
        return _("CE SITE EST LA COPIE : lecture seule, retard %s") % _lag(replica)
    if not replica.get("target"):
        return _("second bâtiment : aucun")
    if replica.get("alarm"):
        return str(replica["alarm"])
    if not replica.get("lag_seq"):
        return _("second bâtiment : à jour")
    return _("second bâtiment : retard %s") % _lag(replica)


def _lag(replica: Mapping[str, Any]) -> str:
    """The age of the oldest change that has not arrived."""
    seconds = int(replica.get("lag_s") or 0)
    if seconds < 60:  # every look at a page is a change: below a minute their number says nothing
        return _("de moins d'une minute")
    return _("%d min") % (seconds // 60) if seconds < 7200 else _("%d h") % (seconds // 3600)
