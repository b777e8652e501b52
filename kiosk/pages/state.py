"""The box in one glance: doors, counts, queues, second building, disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response

from core.i18n import _
from core.model.people import Role
from kiosk.fragments import render
from kiosk.surroundings import actor, kiosk, services

door = Blueprint("state", __name__)


@door.get("/etat")
def page() -> Response:
    administrator = actor().is_any(Role.ADMINISTRATOR)
    status = {k: v for k, v in kiosk().status.value().items() if administrator or k != "doors"}
    reports = kiosk().csp.total() if administrator else None
    return render(
        "state/page.html", block="state", groups=list(grouped(status)), csp=reports, at=services().clock.now()
    )


def grouped(status: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, rows of (label, value)) in French; what has no label yet is shown under its own key."""
    plain = [(label(key), shown(key, value)) for key, value in status.items() if not isinstance(value, Mapping)]
    yield _("Serveur"), plain
    for key, value in status.items():
        if isinstance(value, Mapping) and value:
            yield label(key), [(label(inner), shown(inner, each)) for inner, each in value.items()]


def label(key: str) -> str:
    return {
        "version": _("Version"),
        "uptime_s": _("En marche depuis"),
        "recovery": _("Au dernier démarrage"),
        "doors": _("Portes"),
        "patients": _("Patients"),
        "studies": _("Études"),
        "series": _("Séries"),
        "instances": _("Images"),
        "quarantined": _("Objets mis de côté"),
        "hl7": _("Messages HL7"),
        "received": _("Reçus"),
        "applied": _("Appliqués"),
        "dead": _("Abandonnés"),
        "outbox": _("Envois"),
        "queued": _("En attente"),
        "failed": _("En échec"),
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
        "target": _("Vers"),
        "unreconciled": _("Études à rapprocher"),
        "tasks": _("Tâches en attente"),
        "rpc": _("Terminaux"),
        "http": _("Navigateurs"),
        "dicom": _("Machines (DICOM)"),
        "disk": _("Disque"),
        "free_bytes": _("Place libre"),
        "free_percent": _("Place libre"),
        "days_left": _("Jours restants"),
    }.get(key, key)


def shown(key: str, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if key in ("uptime_s", "lag_s"):
        return duration(int(value))
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
