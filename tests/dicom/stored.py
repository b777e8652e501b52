"""Objects already in the archive of a department, and machines that fetch them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_GET
from core.dicom.header import walk
from core.dicom.server import DicomServer
from core.model.received import Arrival, Sender, StoreOutcome
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department
from tests.dicom.modality import PATIENCE

SCANNER = Sender("CT1", "127.0.0.1", True)


def keep(
    department: Department, uid: str, syntax: str = EXPLICIT_LE, data: bytes | None = None, sop_class: str = CT,
    **changes: object,
) -> bytes:  # fmt: skip
    """The data set of a slice that the archive now holds."""
    content = ct(syntax, sop_instance=uid, sop_class=sop_class, **changes) if data is None else data
    kept(department, uid, content, syntax, sop_class)
    return content


def kept(department: Department, uid: str, content: bytes, syntax: str, sop_class: str = CT) -> StoreOutcome:
    header = walk(content, syntax)
    return department.ingest.store(Arrival(SCANNER, sop_class, uid, syntax, content, header))


@dataclass
class Fetched:
    """What a retrieve brought: data sets as received by SOP Instance UID, and the responses."""

    objects: dict[str, bytes] = field(default_factory=dict)
    syntaxes: dict[str, str] = field(default_factory=dict)
    responses: list[tuple[Dataset, Dataset | None]] = field(default_factory=list)
    commands: list[Any] = field(default_factory=list)
    answer: int = 0

    @property
    def final(self) -> Dataset:
        return self.responses[-1][0]

    @property
    def failed(self) -> list[str]:
        identifier = self.responses[-1][1]
        value = identifier.get("FailedSOPInstanceUIDList", []) if identifier is not None else []
        return [str(uid) for uid in ([value] if isinstance(value, str) else value)]

    def take(self, event: Any) -> int:
        request = event.request
        self.objects[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        self.syntaxes[str(request.AffectedSOPInstanceUID)] = str(event.context.transfer_syntax)
        self.commands.append(request)
        return self.answer


def keys(level: str, **values: Any) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(identifier, keyword, value)
    return identifier


def get(
    door: DicomServer,
    identifier: Dataset,
    calling: str = "WS1",
    model: str = STUDY_ROOT_GET,
    classes: Sequence[str] = (CT,),
    syntaxes: Sequence[str] = (EXPLICIT_LE, IMPLICIT_LE),
    roles: bool = True,
    answer: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """A C-GET by pynetdicom; one context for each class and syntax."""
    fetched = Fetched(answer=answer)
    entity = AE(calling)
    entity.add_requested_context(model, IMPLICIT_LE)
    for sop_class in classes:
        for syntax in syntaxes:
            entity.add_requested_context(sop_class, syntax)
    taken = [build_role(sop_class, scp_role=True) for sop_class in classes] if roles else []
    host, port = door.address
    association = entity.associate(
        host, port, ae_title="YELEN", ext_neg=taken, evt_handlers=[(evt.EVT_C_STORE, fetched.take)],
        tls_args=(tls, "127.0.0.1") if tls else None,
    )  # fmt: skip
    assert association.is_established
    try:
        fetched.responses = list(association.send_c_get(identifier, model))
    finally:
        association.release()
    return fetched


@contextmanager
def sink(title: str = "SINK", syntaxes: Sequence[str] = (EXPLICIT_LE, IMPLICIT_LE), **options: Any) -> Iterator[Any]:
    """A machine that stores what it is sent: (port, what it fetched)."""
    fetched = Fetched()
    entity = AE(title)
    entity.acse_timeout = entity.network_timeout = PATIENCE
    for sop_class in options.get("classes", (CT,)):
        entity.add_supported_context(sop_class, list(syntaxes))
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, options.get("take", fetched.take))]
    )
    try:
        yield server.server_address[1], fetched
    finally:
        server.shutdown()


def move(door: DicomServer, identifier: Dataset, to: str, model: str, calling: str = "WS1") -> Fetched:
    fetched = Fetched()
    entity = AE(calling)
    entity.add_requested_context(model, IMPLICIT_LE)
    host, port = door.address
    association = entity.associate(host, port, ae_title="YELEN")
    assert association.is_established
    try:
        fetched.responses = list(association.send_c_move(identifier, to, model))
    finally:
        association.release()
    return fetched
