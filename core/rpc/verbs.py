"""The one table of verbs: for each call of the contract, the service that answers it. The actor always comes first.

Calls of the connection itself (hello, login, lock, watch…) are in `core.rpc.connection`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.errors import NotAllowed
from core.i18n import _
from core.model import second_building
from core.model.people import Actor, Role
from core.rpc import contract as c
from core.services.acquisition import DoseEntry

if TYPE_CHECKING:
    from core.services import Services


def _dose(typed: str) -> DoseEntry | None:
    return DoseEntry(typed) if typed else None


Verb = Callable[["Services", Actor, Any], Any]
Verbs = Mapping[type[c.Call[Any]], Verb]


def for_administrators(verb: Verb) -> Verb:
    """The same verb, refused to everybody else: accounts, machines and printers decide who may do what."""

    def checked(services: Services, actor: Actor, params: Any) -> Any:
        if not actor.is_any(Role.ADMINISTRATOR):
            refusal = NotAllowed(_("Réservé à l'administrateur."))
            services.kit.note_refusal(actor, params.method, refusal)
            raise refusal
        return verb(services, actor, params)

    return checked


VERBS: Verbs = {
    c.GetDayPage: lambda s, a, p: s.scheduling.day_page(a, p.filter, p.top, p.count),
    c.GetLine: lambda s, a, p: s.scheduling.line(a, p.step_id),
    c.Arrive: lambda s, a, p: s.scheduling.arrive(a, p.step_id, p.identity_confirmed, p.idempotency_key),
    c.UndoArrival: lambda s, a, p: s.scheduling.undo_arrival(a, p.step_id, p.reason),
    c.Cancel: lambda s, a, p: s.scheduling.cancel(a, p.step_id, p.reason),
    c.NoShow: lambda s, a, p: s.scheduling.no_show(a, p.step_id),
    c.GetHistory: lambda s, a, p: s.scheduling.history(a, p.step_id),
    c.SearchPatients: lambda s, a, p: s.patients.search(a, p.text, p.limit),
    c.ProposePatients: lambda s, a, p: s.patients.propose(a, p.demographics, p.limit),
    c.GetPatient: lambda s, a, p: s.patients.get(a, p.patient_id),
    c.Register: lambda s, a, p: s.patients.register(a, p.demographics, p.reason, p.idempotency_key),
    c.RegisterUnknown: lambda s, a, p: s.patients.register_unknown(a, p.sex),
    c.PatientExams: lambda s, a, p: s.patients.exams(a, p.patient_id),
    c.Catalogue: lambda s, _a, _p: s.orders.catalogue(),
    c.Rooms: lambda s, _a, _p: s.orders.rooms(),
    c.FindExams: lambda s, _a, p: s.orders.find_exams(p.text),
    c.GetSlots: lambda s, a, p: s.orders.slots(a, p.room, p.day, p.exam_code, p.urgency),
    c.PlaceOrder: lambda s, a, p: s.orders.place(a, p.draft),
    c.OrderWarnings: lambda s, a, p: s.orders.warnings(a, p.draft),
    c.Start: lambda s, a, p: s.acquisition.start(a, p.step_id),
    c.Complete: lambda s, a, p: s.acquisition.complete(a, p.step_id, _dose(p.dose), p.expected_images),
    c.Discontinue: lambda s, a, p: s.acquisition.discontinue(a, p.step_id, p.reason),
    c.Verify: lambda s, a, p: s.acquisition.verify(a, p.step_id, p.reason),
    c.Attach: lambda s, a, p: s.reconciliation.attach(a, p.study_id, p.step_id, p.reason),
    c.KeepAsPrior: lambda s, a, p: s.reconciliation.keep_as_prior(a, p.study_id, p.patient_id, p.reason),
    c.Unmatched: lambda s, a, _p: s.reconciliation.unmatched(a),
    c.StudiesOf: lambda s, a, p: s.studies.of_step(a, p.step_id),
    c.SeriesOf: lambda s, a, p: s.studies.series(a, p.study_id),
    c.ImagesOf: lambda s, a, p: s.studies.instances(a, p.series_id),
    c.RejectImages: lambda s, a, p: s.rejections.reject(a, p.keys, p.title, p.reason),
    c.UndoRejection: lambda s, a, p: s.rejections.undo(a, p.rejection_id, p.reason),
    c.Rejections: lambda s, a, p: s.rejections.lines(a, p.study_id),
    c.RepeatRates: lambda s, a, p: s.rejections.repeat_rate(a, p.first, p.last),
    c.Printers: lambda s, _a, _p: s.printing.printers(),
    c.PrintJobs: lambda s, a, p: s.printing.jobs(a, p.limit),
    c.RetryJob: lambda s, a, p: s.printing.retry(a, p.job_id),
    c.ReprintJob: lambda s, a, p: s.printing.reprint(a, p.job_id),
    c.CancelJob: lambda s, a, p: s.printing.cancel(a, p.job_id),
    c.DivertJob: lambda s, a, p: s.printing.divert(a, p.job_id, p.printer),
    c.SavePrinter: for_administrators(lambda s, a, p: s.printing.save_printer(a, p.printer)),
    c.PrintLabel: lambda s, a, p: s.paper.print_label(a, p.step_id, p.printer, key=p.idempotency_key),
    c.PrintWristband: lambda s, a, p: s.paper.print_wristband(a, p.step_id, p.printer, p.idempotency_key),
    c.PrintConvocation: lambda s, a, p: s.paper.print_convocation(a, p.step_id, p.printer, p.idempotency_key),
    c.SecondBuilding: lambda s, _a, _p: second_building.sentence(s.standing.replica()),
    c.Status: lambda s, _a, _p: s.status(),
    c.VerifyAudit: for_administrators(lambda s, _a, _p: s.audit.verify()),
    c.Users: for_administrators(lambda s, a, _p: s.people.users(a)),
    c.AddUser: for_administrators(lambda s, a, p: s.people.add_user(a, p.user, p.password, p.pin)),
    c.RemoveUser: for_administrators(lambda s, a, p: s.people.remove_user(a, p.login)),
    c.Devices: lambda s, _a, _p: s.devices.all(),
    c.SaveDevice: for_administrators(lambda s, a, p: s.devices.save(a, p.device)),
    c.RemoveDevice: for_administrators(lambda s, a, p: s.devices.remove(a, p.ae_title)),
    c.WhyNotThere: lambda s, a, p: s.why.ask(a, p.accession, p.ae_title),
    c.RelaxMachine: for_administrators(lambda s, a, p: s.why.relax(a, p.accession, p.ae_title, p.how)),
}
