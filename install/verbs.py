"""The administrator's calls and what answers each, added to the table of the terminals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.model.people import Actor
from core.rpc.contract import Call
from core.rpc.verbs import VERBS, Verb
from core.services import Services
from install import backup, verify
from install import calls as c
from install.house import House

Verbs = Mapping[type[Call[Any]], Verb]

ADMINISTRATION: Verbs = {
    c.SaveRoom: lambda s, a, p: s.orders.save_room(a, p.room),
    c.RemoveRoom: lambda s, a, p: s.orders.remove_room(a, p.code),
    c.SaveExam: lambda s, a, p: s.orders.save_exam(a, p.exam),
    c.RemoveExam: lambda s, a, p: s.orders.remove_exam(a, p.code),
    c.Senders: lambda s, _a, _p: s.devices.senders(),
    c.SaveSender: lambda s, a, p: s.devices.save_sender(a, p.sender),
    c.RemoveSender: lambda s, a, p: s.devices.remove_sender(a, p.name),
    c.Destinations: lambda s, _a, _p: s.devices.destinations(),
    c.SaveDestination: lambda s, a, p: s.devices.save_destination(a, p.destination),
    c.RemoveDestination: lambda s, a, p: s.devices.remove_destination(a, p.name),
    c.RemovePrinter: lambda s, a, p: s.printing.remove_printer(a, p.name),
    c.ProbeDevice: lambda s, a, p: _probed(s.devices.probe(a, p.ae_title)),
}


def verbs_of(house: House) -> Verbs:
    """Every call that this house answers."""
    of_the_house: Verbs = {
        c.BackUp: lambda _s, a, p: backup.back_up(house, a, p.folder),
        c.VerifyFiles: lambda _s, a, _p: verify.verify_files(house, a),
        c.Reindex: lambda s, a, _p: reindex(s, a),
    }
    return {**VERBS, **ADMINISTRATION, **of_the_house}


def reindex(services: Services, actor: Actor) -> c.Reindexed:
    """Rebuild the image index; the act is audited."""
    found = services.reindex()
    services.kit.act(actor, "reindex", lambda unit: unit.audit(actor, "reindex", "archive", adopted=found.adopted))
    return c.Reindexed(found.adopted, tuple(replace(found, swept=0, adopted=0).lines()))


def _probed(found: Any) -> c.Probed:
    return c.Probed(found.ok, found.milliseconds or 0.0, found.sentence)
