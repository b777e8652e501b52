"""How the box stands, in the words of the state page and of the commands. What it is: `core.services.standing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from core.i18n import _

Rows = list[tuple[str, str]]
Local = Callable[[datetime], datetime]

MOMENTS = ("since", "last_contact", "at")
DURATIONS = ("uptime_s", "lag_s")


def grouped(status: Mapping[str, Any], local: Local) -> Iterator[tuple[str, Rows]]:
    """(title, rows of (label, value)) in French. local: a moment as the site's wall shows it."""
    yield _("Serveur"), rows({key: value for key, value in status.items() if not isinstance(value, Mapping)}, local)
    for key, value in status.items():
        if isinstance(value, Mapping) and value:
            yield label(key), rows(value, local)


def rows(facts: Mapping[str, Any], local: Local) -> Rows:
    return [(label(key), shown(key, value, local)) for key, value in facts.items()]


def label(key: str) -> str:
    """`lag_seq` in words; `applied_row.bulk` has its lane in brackets; a key without words stands for itself."""
    name, _dot, lane = key.partition(".")
    word = {
        "version": _("Version"),
        "uptime_s": _("En marche depuis"),
        "recovery": _("Au dernier démarrage"),
        "doors": _("Portes"),
        "patients": _("Patients"),
        "studies": _("Études"),
        "series": _("Séries"),
        "instances": _("Images"),
        "quarantined": _("Mis de côté"),
        "hl7": _("Messages HL7"),
        "received": _("Reçus"),
        "applied": _("Appliqués"),
        "refused": _("Refusés"),
        "dead": _("Abandonnés"),
        "outbox": _("Envois"),
        "queued": _("En attente"),
        "failed": _("En échec"),
        "transfers": _("Études à envoyer"),
        "print": _("Impressions"),
        "replica": _("Second bâtiment"),
        "role": _("Rôle"),
        "lag_seq": _("Retard (écritures)"),
        "lag_s": _("Retard"),
        "epoch": _("Époque"),
        "up": _("Ligne ouverte"),
        "since": _("Depuis"),
        "last_contact": _("Dernier contact"),
        "lag_files": _("Retard (fichiers)"),
        "lag_bytes": _("Retard (octets)"),
        "keys": _("Clés au second bâtiment"),
        "error": _("Panne"),
        "alarm": _("Alarme"),
        "compression": _("Compression sans perte"),
        "compressed": _("Images comprimées"),
        "gained_bytes": _("Place gagnée (octets)"),
        "left_as_received": _("Laissées comme reçues"),
        "originals_bytes": _("Originaux pas encore effacés (octets)"),
        "target": _("Vers"),
        "site": _("Copie du site"),
        "applied_row": _("Dernière ligne reçue"),
        "trouble": _("Arrêtée par"),
        "at": _("Dit à"),
        "unreconciled": _("Études à rapprocher"),
        "tasks": _("Tâches en attente"),
        "rpc": _("Terminaux"),
        "http": _("Navigateurs"),
        "dicom": _("Machines (DICOM)"),
        "disk": _("Disque"),
        "free_bytes": _("Place libre"),
        "free_percent": _("Place libre"),
        "days_left": _("Jours restants"),
    }.get(name, name)
    return f"{word} ({lane})" if lane else word


def shown(key: str, value: Any, local: Local) -> str:
    if value is None or value == "":
        return "–"
    if key in DURATIONS:
        return duration(int(value))
    if key in MOMENTS:
        return f"{local(datetime.fromisoformat(value)):%d/%m/%Y %H:%M}"
    if isinstance(value, list):
        return " ; ".join(value) or _("rien à réparer")
    if isinstance(value, bool):
        return _("oui") if value else _("non")
    if value in ("primary", "replica"):
        return _("site principal") if value == "primary" else _("copie")
    if key == "free_percent":
        return _("%s %%") % f"{value:.1f}".replace(".", ",")
    if isinstance(value, int) and abs(value) >= 10**9:
        return _("%s Go") % f"{value / 1e9:.1f}".replace(".", ",")
    return str(value)


def duration(seconds: int) -> str:
    """« 45 s », « 12 min », « 3 h 05 », « 8 j »."""
    if seconds < 120:
        return _("%d s") % seconds
    if seconds < 7200:
        return _("%d min") % (seconds // 60)
    if seconds < 2 * 86400:
        return _("%d h %02d") % (seconds // 3600, seconds % 3600 // 60)
    return _("%d j") % (seconds // 86400)
