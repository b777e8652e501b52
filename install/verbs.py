"""The administrator's calls and what answers each, added to the table of the terminals.

Rule 1: what changes the house itself asks for an administrator; a refusal is audited.
Rule 2: what reads or writes at a path of the caller's choice asks for the machine's own console: root, or the account
that runs the box, as the kernel says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import NotAllowed
from core.i18n import _
from core.model.people import Actor, Role
from core.model.received import Stored
from core.rpc import contract as t
from core.rpc.verbs import VERBS, Verb
from core.services import Services
from core.services.devices import ProbeResult
from install import backup, verify
from install import calls as c
from install.house import House
from scanners.media import MediaImport
from scanners.probe import probe

Verbs = Mapping[type[t.Call[Any]], Verb]

# Calls of the terminals' own table that only an administrator may make.
RESERVED = (t.Users, t.AddUser, t.RemoveUser, t.SaveDevice, t.RemoveDevice, t.SavePrinter, t.VerifyAudit)

ADMINISTRATION: Verbs = {
    c.SetSecret: lambda s, a, p: s.people.set_secret(a, p.login, p.password, p.pin),
    c.SaveRoom: lambda s, a, p: s.orders.save_room(a, p.room),
    c.RemoveRoom: lambda s, a, p: s.orders.remove_room(a, p.code),
    c.SaveExam: lambda s, a, p: s.orders.save_exam(a, p.exam),
    c.RemoveExam: lambda s, a, p: s.orders.remove_exam(a, p.code),
    c.Migrate: lambda s, a, p: s.fetching.migrate(a, p.ae_title, p.first, p.last),
    c.FetchAgain: lambda s, a, p: s.fetching.again(a, p.ae_title),
    c.FetchesSoFar: lambda s, a, _p: tuple(s.fetching.progress(a)),
    c.FailedFetches: lambda s, a, _p: tuple(s.fetching.failed(a)),
    c.Senders: lambda s, _a, _p: s.devices.senders(),
    c.SaveSender: lambda s, a, p: s.devices.save_sender(a, p.sender),
    c.RemoveSender: lambda s, a, p: s.devices.remove_sender(a, p.name),
    c.Destinations: lambda s, _a, _p: s.devices.destinations(),
    c.SaveDestination: lambda s, a, p: s.devices.save_destination(a, p.destination),
    c.RemoveDestination: lambda s, a, p: s.devices.remove_destination(a, p.name),
    c.Routes: lambda s, _a, _p: tuple(s.routing.routes()),
    c.AddRoute: lambda s, a, p: s.routing.add(a, p.route),
    c.RemoveRoute: lambda s, a, p: s.routing.remove(a, p.route_id),
    c.Transfers: lambda s, a, _p: tuple(s.routing.transfers(a)),
    c.RetryTransfer: lambda s, a, p: s.routing.retry(a, p.transfer_id),
    c.AbandonTransfer: lambda s, a, p: s.routing.abandon(a, p.transfer_id),
    c.RemovePrinter: lambda s, a, p: s.printing.remove_printer(a, p.name),
    c.DeviceContacts: lambda s, a, p: s.why.contacts(a, p.ae_title),
    c.ProbeDevice: lambda s, a, p: _probed(probe(s, a, p.ae_title)),
    c.Reindex: lambda s, a, _p: reindex(s, a),
    c.RefusedCallers: lambda s, a, _p: refused_callers(s, a),
    c.Messages: lambda s, a, _p: tuple(s.his.messages(a)),
    c.Quarantined: lambda s, a, _p: quarantined(s, a),
    c.SettleQuarantine: lambda s, a, p: s.ingest.settle(a, p.quarantine_id, p.how),
    c.RetryQuarantine: lambda s, a, p: retried(s, a, p.quarantine_id),
    c.WaitingOf: lambda s, a, p: tuple(s.retrying.waiting(a, p.ae_title, p.after)),
    c.Tasks: lambda s, a, _p: tuple(s.tasks.waiting(a)),
    c.SettleTask: lambda s, a, p: s.tasks.settle(a, p.task_id, p.how),
}


def verbs_of(house: House) -> Verbs:
    """Every call that this house answers."""
    reserved: dict[type[t.Call[Any]], Verb] = {call: VERBS[call] for call in RESERVED}
    administration: Verbs = {
        **reserved,
        **ADMINISTRATION,
        c.VerifyFiles: lambda _s, a, _p: verify.verify_files(house, a),
    }
    console: Verbs = {
        c.BackUp: lambda _s, a, p: backup.back_up(house, a, p.folder),
        c.BeginExport: lambda s, a, p: s.export.begin(a, p.folder, p.asked),
        c.ProceedExport: lambda s, a, p: s.export.proceed(a, p.folder),
        c.Import: lambda s, a, p: import_media(s, a, Path(p.path)),
    }
    verbs: dict[type[t.Call[Any]], Verb] = dict(VERBS)
    verbs.update({call: _only(_is_administrator, verb) for call, verb in administration.items()})
    verbs.update({call: _only(_is_at_the_console, verb) for call, verb in console.items()})
    return verbs


def _only(may: Callable[[Actor], bool], verb: Verb) -> Verb:
    def checked(services: Services, actor: Actor, call: Any) -> Any:
        if not may(actor):
            services.kit.act(actor, call.method, _refuse)
        return verb(services, actor, call)

    return checked


def _refuse(_unit: object) -> None:
    raise NotAllowed(_("Réservé à l'administrateur de la machine."))


def _is_administrator(actor: Actor) -> bool:
    return actor.is_any(Role.ADMINISTRATOR)


def _is_at_the_console(actor: Actor) -> bool:
    """Not a login: `LoginAsOwner` and commands give `uid:…`, which no account can be called."""
    return actor.is_any(Role.ADMINISTRATOR) and actor.name.startswith("uid:")


def _probed(found: tuple[ProbeResult, list[str]]) -> c.Probed:
    return c.Probed(found[0].ok, tuple(found[1]))


def reindex(services: Services, actor: Actor) -> c.Reindexed:
    """Rebuild the image index; the act is audited."""
    found = services.reindex()
    services.kit.act(actor, "reindex", lambda unit: unit.audit(actor, "reindex", "archive", adopted=found.adopted))
    return c.Reindexed(found.adopted, tuple(replace(found, swept=0, adopted=0).lines()))


def import_media(services: Services, actor: Actor, path: Path) -> c.Imported:
    assert services.ports.read_header is not None
    report = MediaImport(services, services.ports.read_header).run(actor, path)
    return c.Imported(tuple(report.lines()), len(report.quarantined) + len(report.unreadable))


def refused_callers(services: Services, actor: Actor) -> tuple[c.Refused, ...]:
    """The newest first."""
    return tuple(
        c.Refused(a.door, a.ae_title, a.address, _why_refused(a.result), a.times, a.at)
        for a in services.devices.attempts(actor)
    )


def _why_refused(result: str) -> str:
    """The door's note in French; an unknown note as it is."""
    words = {
        "association-rejected": _("refusé : titre AE ou adresse inconnus"),
        "connection-refused": _("refusé : trop de connexions muettes"),
        "no-association-request": _("n'a rien dit"),
        "not-dicom": _("ne parle pas DICOM"),
        "association-aborted": _("coupé : règle du protocole rompue"),
        "door-fault": _("incident de la porte elle-même : voir le journal du serveur"),
        "unknown sender": _("refusé : expéditeur non déclaré"),
        "junk": _("ne parle pas HL7"),
        "no-msh": _("message sans en-tête MSH"),
        "frame-too-long": _("message trop long"),
    }
    return words.get(result.partition(":")[0], result)


def quarantined(services: Services, actor: Actor) -> tuple[c.SetAside, ...]:
    """What waits for a person, the newest first."""
    return tuple(
        c.SetAside(q.id, q.received_at, q.calling_ae, q.patient_hint, q.sentence, q.detail, q.path)
        for q in services.ingest.quarantine(actor)
    )


def retried(services: Services, actor: Actor, quarantine_id: int) -> c.Retried:
    outcome = services.retrying.retry(actor, quarantine_id)
    return c.Retried(outcome.what is Stored.DUPLICATE, outcome.unreconciled)
