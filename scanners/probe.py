"""Is this machine well connected? C-ECHO both ways, its last image, its last question: one sentence each."""

from __future__ import annotations

from datetime import datetime

from core.i18n import _
from core.model.people import Actor
from core.services import Services
from core.services.devices import ProbeResult


def probe(services: Services, actor: Actor, ae_title: str) -> tuple[ProbeResult, list[str]]:
    """Ask a machine and say in French what is known of it. Raises `NotFound` for an undeclared one."""
    result = services.devices.probe(actor, ae_title)
    device = services.devices.by_ae(ae_title)
    said = [result.sentence]
    said.append(_line(services, _("Dernier écho venu de la machine"), device.last_call_at if device else None))
    said.append(_line(services, _("Dernière image reçue"), result.last_store_at))
    said.append(_line(services, _("Dernière question sur la liste de travail"), result.last_query_at))
    strangers = [a for a in services.devices.attempts(actor) if a.ae_title.casefold() == ae_title.casefold()]
    said += [
        _("Refusée depuis %s (%s), %d fois : vérifier l'adresse dans sa fiche.") % (a.address, a.result, a.times)
        for a in strangers
    ]
    return result, said


def _line(services: Services, what: str, when: datetime | None) -> str:
    return _("%s : %s") % (what, f"{services.local(when):%d/%m/%Y %H:%M}" if when else _("jamais"))
