"""An archived file that is no longer what its row promised: named once, healed by the same object sent again.

The hash of the row is the proof: it covers the file meta, which is made again from the row, and the data set. What
does not have that hash never takes the place, not even of a file that has vanished: it may be another child's image
under the same UID.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from core.archive.disk import Buffer
from core.archive.part10 import META_CAP, file_meta, read_file_meta
from core.archive.store import PIECE, Archive
from core.errors import BadMessage, OutOfResources
from core.i18n import _
from core.index.tables import Instance, Series, Study
from core.index.writer import Unit
from core.model.names import display_name, split_person_name
from core.model.people import Actor, Role
from core.services.tasks import ask, is_asked, settle_of_study
from core.trouble import reason_of

KIND = "damaged"
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # we are short of something; the file may be whole

Content = Callable[[], Iterable[Buffer]]
"""The bytes of a data set in pieces, from the start each time it is called."""


def is_whole(archive: Archive, row: Any) -> bool:
    """Whether the file of an instance or quarantine row is there, byte for byte. Raises `OutOfResources`."""
    try:
        digest, size = hashlib.sha256(), 0
        for piece in _pieces(archive.absolute(row.path)):
            digest.update(piece)
            size += len(piece)
    except OSError as fault:
        refuse_ours(fault)
        return False
    return (size, digest.hexdigest()) == (row.size, row.sha256)


def refuse_ours(fault: OSError) -> None:
    """Raises `OutOfResources` when it says nothing about the file."""
    if fault.errno in _OURS:
        raise OutOfResources(_("Lecture impossible pour l'instant : %s") % reason_of(fault)) from fault


def promised_meta(archive: Archive, row: Any, content: Content) -> bytes | None:
    """The file meta with which this data set is the very file that was received; None when it is another object."""
    for meta in _metas(archive, row):
        digest = hashlib.sha256(meta)
        for piece in content():
            digest.update(piece)
        if digest.hexdigest() == row.sha256:
            return meta
    return None


def data_set_of(file: Path) -> Content:
    """The data set of a Part 10 file."""

    def pieces() -> Iterator[Buffer]:
        with file.open("rb") as stream:
            stream.seek(read_file_meta(stream.read(META_CAP)).dataset_offset)
            while piece := stream.read(PIECE):
                yield piece

    return pieces


def mark(unit: Unit, actor: Actor, row: Any) -> None:
    """The image says so wherever it is shown, and a line asks for its study to be sent again."""
    if Instance.get_by_id(row.id).damaged_at is not None:
        return
    Instance.update(damaged_at=unit.now).where(Instance.id == row.id).execute()
    if row.series_id is None:  # rejected: it is shown to nobody
        unit.audit(actor, "damaged", f"instance:{row.key}", path=row.path)
        return
    study = _study_of(row)
    unit.audit(actor, "damaged", f"instance:{row.key}", study.patient_id, path=row.path)
    unit.event(f"study:{study.id}", study.id)
    unit.event("alarm", "archive")
    if not is_asked(KIND, study.id):
        ask(unit, KIND, Role.TECHNOLOGIST, _line(study, row), study_id=study.id, step_id=study.step_id)


def heal(unit: Unit, actor: Actor, row: Any) -> None:
    """The file is right again; the line goes with the last damaged image of its study."""
    if Instance.get_by_id(row.id).damaged_at is None:
        return
    Instance.update(damaged_at=None).where(Instance.id == row.id).execute()
    if row.series_id is None:
        return
    study = _study_of(row)
    unit.event(f"study:{study.id}", study.id)
    if not damaged_images([study.id]):
        settle_of_study(unit, actor, KIND, study.id)


def damaged_images(study_ids: list[int]) -> int:
    """How many images of these studies are known to be damaged."""
    images = Instance.select().join(Series, on=(Instance.series == Series.id))
    return int(images.where(Series.study.in_(study_ids), Instance.damaged_at.is_null(False)).count())


def _study_of(row: Any) -> Any:
    return Study.get_by_id(Series.get_by_id(row.series_id).study_id)


def _line(study: Any, row: Any) -> str:
    who = display_name(*split_person_name(study.name)) or _("patient sans nom")
    what = " ".join(said for said in (study.description, study.study_date) if said)
    asked = _("Image abîmée sur le disque : %s, %s. Demander à %s de renvoyer l'étude.")
    return asked % (who, what or _("étude sans titre"), row.calling_ae or _("la machine"))


def _metas(archive: Archive, row: Any) -> Iterator[bytes]:
    """As this program writes it, then as it stands in the file, which another version may have written."""
    yield file_meta(row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax, row.calling_ae)
    try:
        with archive.absolute(row.path).open("rb") as stream:
            head = stream.read(META_CAP)
        yield head[: read_file_meta(head).dataset_offset]
    except (OSError, BadMessage):
        return


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            yield piece
