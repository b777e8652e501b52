"""The verbs of the department: one verb, one transaction; the actor is always the first argument.

Doors and faces receive one `Services` value, passed in, never a global. Nothing above this floor touches the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_type_hints

from core.archive.disk import Disk
from core.archive.store import Archive
from core.clock import Clock, SystemClock
from core.config import Config, Site
from core.config.secret_files import load_key
from core.imaging.imaging import Imaging
from core.index.opening import open_index
from core.services.acquisition import Acquisition
from core.services.auditing import Auditing
from core.services.commitments import Commitments
from core.services.compression import Compression
from core.services.contacts import Contacts
from core.services.devices import Devices
from core.services.events import Events
from core.services.export import Export
from core.services.fetching import Fetching
from core.services.his import His
from core.services.housekeeping import Housekeeping
from core.services.ingest import Ingest
from core.services.kit import Kit
from core.services.mpps import Mpps
from core.services.orders import Orders
from core.services.outbox import OutboxService
from core.services.paper import Paper
from core.services.patients import Patients
from core.services.people import People
from core.services.pledges import Pledges
from core.services.ports import Ports
from core.services.printing import Printing
from core.services.reconcile import Reconciliation
from core.services.refusals import note_refusals
from core.services.rejections import Rejections
from core.services.reports import Reports
from core.services.retrieval import Retrieval
from core.services.retrying import Retrying
from core.services.routing import Routing
from core.services.scheduling import Scheduling
from core.services.standing import Standing
from core.services.startup import Recovery, recover, reindex
from core.services.studies import Studies
from core.services.task_list import TaskList
from core.services.why import Whys

__all__ = ["Ports", "Services", "open_services"]


@dataclass(frozen=True)
class Services:
    """Everything a door may ask of the department."""

    kit: Kit
    ports: Ports
    people: People
    patients: Patients
    orders: Orders
    scheduling: Scheduling
    ingest: Ingest
    retrying: Retrying
    acquisition: Acquisition
    reconciliation: Reconciliation
    mpps: Mpps
    commitments: Commitments
    pledges: Pledges
    rejections: Rejections
    studies: Studies
    retrieval: Retrieval
    fetching: Fetching
    routing: Routing
    reports: Reports
    his: His
    outbox: OutboxService
    printing: Printing
    paper: Paper
    devices: Devices
    contacts: Contacts
    why: Whys
    events: Events
    audit: Auditing
    standing: Standing
    tasks: TaskList
    housekeeping: Housekeeping
    export: Export
    compression: Compression

    @property
    def clock(self) -> Clock:
        return self.kit.clock

    @property
    def config(self) -> Config:
        return self.kit.config

    @property
    def site(self) -> Site:
        return self.kit.config.site

    def today(self) -> date:
        return self.kit.today()

    def local(self, moment: datetime) -> datetime:
        return self.kit.local(moment)

    def status(self) -> dict[str, Any]:
        return self.standing.status()

    def recover(self) -> Recovery:
        """The start-up sweep and reconciliation; before any door opens."""
        found = recover(self.kit, self.ingest, self.ports.read_header)
        self.standing.recovery = found.lines()
        return found

    def reindex(self) -> Recovery:
        """Rebuild the image index from the files. Needs `ports.read_header`."""
        assert self.ports.read_header is not None
        return reindex(self.kit, self.ingest, self.ports.read_header)

    def release_thread(self) -> None:
        """A thread of a door ends: it gives its index connection back."""
        self.kit.index.close_thread()

    def close(self) -> None:
        self.kit.index.close()


note_refusals(*(kind for name, kind in get_type_hints(Services).items() if name not in ("kit", "ports")))


def open_services(
    config: Config,
    ports: Ports | None = None,
    clock: Clock | None = None,
    imaging: Imaging | None = None,
    disk: Disk | None = None,
) -> Services:
    """The department of `config.data`: index opened and migrated, archive ready, every verb bound.

    Raises `BadConfig` when the index is newer than the program.
    """
    clock = clock or SystemClock()
    ports, data = ports or Ports(), config.data
    index = open_index(data, clock, config.replica.role)
    secret = load_key(data / "secrets" / "archive.key")
    kit = Kit(index, Archive(data, secret, index.epoch, clock, disk), clock, config)
    people, devices, retrieval = People(kit), Devices(kit, ports), Retrieval(kit, imaging)
    reports, printing, contacts = Reports(kit, people), Printing(kit), Contacts(kit)
    ingest = Ingest(kit, ports)
    return Services(
        kit=kit,
        ports=ports,
        people=people,
        patients=Patients(kit),
        orders=Orders(kit),
        scheduling=Scheduling(kit),
        ingest=ingest,
        retrying=Retrying(kit, ports, devices, ingest),
        rejections=Rejections(kit, ports, ingest),
        acquisition=Acquisition(kit),
        reconciliation=Reconciliation(kit),
        mpps=Mpps(kit),
        commitments=Commitments(kit),
        pledges=Pledges(kit),
        studies=Studies(kit, ports, imaging, retrieval),
        retrieval=retrieval,
        fetching=Fetching(kit, ports, devices),
        routing=Routing(kit, devices, retrieval),
        reports=reports,
        his=His(kit, devices),
        outbox=OutboxService(kit, devices),
        printing=printing,
        paper=Paper(kit, ports, printing, reports),
        devices=devices,
        contacts=contacts,
        why=Whys(kit, devices, contacts),
        events=Events(kit),
        audit=Auditing(kit),
        standing=Standing(kit, ports, _version(), clock.now()),
        tasks=TaskList(kit),
        housekeeping=Housekeeping(kit),
        export=Export(kit, ports),
        compression=Compression(kit, ports, imaging, ingest),
    )


def _version() -> str:
    try:
        return version("yelen")
    except PackageNotFoundError:
        return "0"
