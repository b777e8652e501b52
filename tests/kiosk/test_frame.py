"""The frame route: what it draws, who may see it, how long the browser keeps it."""

from __future__ import annotations

import io

from PIL import Image

from core.services import Services
from kiosk.pages.frame import SHARED_POST
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import RADIOLOGIST


def picture(person: Person, path: str) -> Image.Image:
    return Image.open(io.BytesIO(person.client.get(path).get_data()))


def grey(image: Image.Image, x: int, y: int) -> int:
    value = image.getpixel((x, y))
    assert isinstance(value, int)
    return value


def test_the_window_decides_what_is_white(clinician: Person, exams: Exams) -> None:
    path = f"/img/{exams.key(exams.to_read())}/frame"
    narrow, wide = picture(clinician, f"{path}?c=0&w=10"), picture(clinician, f"{path}?c=40&w=4000")
    assert grey(narrow, 32, 32) > 250
    assert 110 < grey(wide, 32, 32) < 145
    assert grey(narrow, 1, 1) < 5


def test_a_smaller_picture_is_smaller_and_none_is_larger_than_the_file(clinician: Person, exams: Exams) -> None:
    path = f"/img/{exams.key(exams.to_read())}/frame"
    assert picture(clinician, f"{path}?size=32").size == (32, 32)
    assert picture(clinician, f"{path}?size=4000").size == (64, 64)


def test_a_frame_beyond_the_last_is_404(clinician: Person, exams: Exams) -> None:
    path = f"/img/{exams.key(exams.to_read())}/frame"
    assert clinician.client.get(f"{path}?f=2").status_code == 404
    assert clinician.client.get("/img/inconnue/frame").status_code == 404


def test_nobody_sees_an_image_without_a_login(stranger: Person, exams: Exams) -> None:
    answer = stranger.client.get(f"/img/{exams.key(exams.to_read())}/frame")
    assert answer.status_code == 401
    assert answer.headers["Cache-Control"] == "no-store"


def test_pictures_are_kept_a_quarter_of_an_hour_under_the_key_of_this_login(
    clinician: Person, radiologist: Person, exams: Exams
) -> None:
    page = clinician.see(f"/etude/{exams.study(exams.to_read())}")
    source = next(src for src in page.images if "&s=" in src)
    assert clinician.client.get(source).headers["Cache-Control"] == SHARED_POST
    assert radiologist.client.get(source).headers["Cache-Control"] == "no-store"


def test_what_a_radiologist_looked_at_is_told_to_the_signature(
    radiologist: Person, exams: Exams, services: Services
) -> None:
    step = exams.to_read()
    page = radiologist.see(f"/etude/{exams.study(step)}")
    services.reports.open(RADIOLOGIST, step)

    def seen() -> str:
        from core.model.report import ReportText

        return services.reports.signer_view(RADIOLOGIST, step, ReportText()).series[0].quality

    for thumbnail in (src for src in page.images if "&s=" not in src and src.startswith("/img/")):
        radiologist.client.get(thumbnail)
    assert seen() == ""
    radiologist.client.get(next(src for src in page.images if "&s=" in src))
    assert seen() == "APERÇU"


def test_looking_at_one_series_is_not_looking_at_another(radiologist: Person, exams: Exams, services: Services) -> None:
    step = exams.ordered()
    study = exams.imaged(step, 1, series=1)
    exams.imaged(step, 1, study=study, series=2)
    first, second = services.studies.series(RADIOLOGIST, exams.study(step))
    key = services.studies.instances(RADIOLOGIST, first.id)[0].key
    radiologist.client.get(f"/img/{key}/frame?s={second.id}")
    from core.model.report import ReportText

    assert [s.quality for s in services.reports.signer_view(RADIOLOGIST, step, ReportText()).series] == ["", ""]
