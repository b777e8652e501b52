"""Images that were taken and read elsewhere: they hang on their child, and nobody here has to read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput, NotAllowed, NotFound
from core.index.tables import Step, Study, Task
from core.model.device import Device
from core.model.patient import Demographics
from core.model.received import Sender
from core.model.study import Match
from core.services import Services
from tests.people.hospital import ADMIN, RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import planned

OLD_PACS = Sender("ANCIEN", "127.0.0.1", True)


def declared(services: Services) -> None:
    services.devices.save(ADMIN, Device("ANCIEN", "127.0.0.1", 11999, role="archive", addresses=("127.0.0.1",)))


def test_what_another_archive_sends_makes_no_exam(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        declared(services)
        child = services.patients.register(RECEPTION, Demographics("BARRY", "Salif"))
        sent = replace(arrival(patient_id=child.number, name="BARRY^Salif"), sender=OLD_PACS)
        assert services.ingest.store(sent).step_id is None
        study = Study.get()
        assert (study.match, study.patient_id) == (str(Match.PRIOR), child.id)
        assert services.reports.reading_list(RADIOLOGIST) == []
        assert services.reconciliation.unmatched(TECHNOLOGIST) == []


def test_what_it_sends_of_somebody_else_is_under_the_overlay_like_any_other(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        declared(services)
        child = services.patients.register(RECEPTION, Demographics("BARRY", "Salif", sex="M"))
        sent = replace(arrival(patient_id=child.number, name="ZONGO^Awa"), sender=OLD_PACS)
        services.ingest.store(sent)
        (line,) = services.reconciliation.unmatched(TECHNOLOGIST)
        assert line.match is Match.UNRECONCILED
        kept = services.reconciliation.keep_as_prior(TECHNOLOGIST, line.id, child.id, "nom de jeune fille")
        assert (kept.match, kept.patient_name) == (Match.PRIOR, "BARRY^Salif")
        assert services.reconciliation.unmatched(TECHNOLOGIST) == []
        assert not Task.select().where(Task.done_at.is_null()).exists()


def test_images_of_a_disc_that_began_an_exam_become_priors_and_the_exam_is_nobodys(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = services.ingest.store(arrival(patient_id="EXT-7", name="BARRY^Salif"))
        assert outcome.study_id is not None
        child = services.patients.register(RECEPTION, Demographics("BARRY", "Salif"), reason="le même")
        services.reconciliation.keep_as_prior(TECHNOLOGIST, outcome.study_id, child.id, "disque apporté")
        assert Study.get().step_id is None
        assert services.reports.reading_list(RADIOLOGIST) == []
        assert Step.select().count() == 1, "what happened is kept"


def test_keeping_a_prior_asks_for_a_reason_a_role_and_a_child(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, _uid = planned(services)
        outcome = services.ingest.store(arrival(patient_id="EXT-7", name="BARRY^Salif"))
        assert outcome.study_id is not None
        patient = services.patients.by_number(RECEPTION, number)
        with pytest.raises(BadInput, match="motif"):
            services.reconciliation.keep_as_prior(TECHNOLOGIST, outcome.study_id, patient.id, " ")
        with pytest.raises(NotAllowed):
            services.reconciliation.keep_as_prior(RADIOLOGIST, outcome.study_id, patient.id, "motif")
        with pytest.raises(NotFound):
            services.reconciliation.keep_as_prior(TECHNOLOGIST, outcome.study_id, 999, "motif")
