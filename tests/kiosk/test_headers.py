"""Headers, sizes and caches of every answer."""

from __future__ import annotations

import gzip
import re

import pytest
from flask import Flask

from core.services import Services
from kiosk import assets
from kiosk.headers import POLICY
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person, text_of

COLD_PAGE = 60_000  # bytes: HTML, style sheet and script with htmx, as sent
VIEWER = 5_000  # bytes of our own viewer script, uncompressed


def test_every_answer_carries_the_policy(clinician: Person, stranger: Person, exams: Exams) -> None:
    for person, path in ((clinician, "/"), (clinician, "/examen/999"), (stranger, "/connexion"), (stranger, "/")):
        headers = person.client.get(path).headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_no_page_has_inline_script_or_style(clinician: Person, radiologist: Person, exams: Exams) -> None:
    step = exams.signed()
    exams.to_read(family="Zongo", given="Léa")
    radiologist.see("/lecture")
    pages = [
        radiologist.press("Interpréter"),
        *(clinician.see(p) for p in ("/", f"/cr/{step}", f"/etude/{exams.study(step)}", "/etat")),
    ]
    for page in pages:
        assert page.status == 200
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|js:", page.html)


def test_the_study_page_is_light_on_a_cold_visit(clinician: Person, exams: Exams) -> None:
    if not assets.HTMX.exists():
        pytest.fail("kiosk/static/vendor/htmx.min.js is missing: ./install/start --setup-only puts it there")
    step = exams.to_read(images=40)
    answer = clinician.client.get(f"/etude/{exams.study(step)}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    html = text_of(answer)
    sizes = [len(answer.get_data())]
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', html):
        sizes.append(len(clinician.client.get(path, headers={"Accept-Encoding": "gzip"}).get_data()))
    assert len(sizes) >= 4
    assert sum(sizes) <= COLD_PAGE


def test_the_viewer_script_is_small() -> None:
    script = assets.tight((assets.STATIC / "js" / "3-viewer.js").read_bytes())
    assert len(script) <= VIEWER


def test_files_with_hashed_names_are_kept_for_ever(stranger: Person) -> None:
    html = stranger.see("/connexion").html
    for path in set(re.findall(r'"(/static/[^"]+)"', html)):
        fresh, stale = stranger.client.get(path), stranger.client.get(re.sub(r"/static/\w+/", "/static/0/", path))
        assert fresh.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert stale.headers["Cache-Control"] == "no-store"
        assert stale.get_data() == fresh.get_data()
    assert stranger.client.get("/static/0/autre.js").status_code == 404


def test_a_browser_without_gzip_gets_plain_pages(clinician: Person) -> None:
    answer = clinician.client.get("/", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]
    squeezed = clinician.client.get("/", headers={"Accept-Encoding": "gzip"}).get_data()
    assert "URG" in gzip.decompress(squeezed).decode()


def test_htmx_is_told_to_leave_empty_answers_alone(stranger: Person) -> None:
    html = stranger.see("/connexion").html
    assert "&#34;304&#34;, &#34;swap&#34;: false" in html
    assert "&#34;allowEval&#34;: false" in html


def test_the_bug_of_htmx_flask_that_we_do_not_use(app: Flask) -> None:
    """Its missing comma refuses two good values; the day this fails, the library was repaired."""
    from htmx_flask import make_response

    with app.test_request_context(), pytest.raises(ValueError, match="beforebegin"):
        make_response("x", reswap="beforebegin")


def test_problems_speak_french_and_keep_their_status(clinician: Person, services: Services) -> None:
    assert "Cette page n'existe pas." in clinician.see("/nulle-part")
    assert clinician.page.status == 404
    form = clinician.see("/").form_with("Verrouiller")
    answer = clinician.client.post("/etat", data=form.fields)
    assert answer.status_code == 405
    big = clinician.client.post("/quitter", data={"x": "y" * 2_000_000})
    assert big.status_code == 413


def test_a_fault_of_ours_is_one_sentence_without_traceback(
    clinician: Person, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.scheduling.day_page = None  # type: ignore[method-assign,assignment]
    page = clinician.see("/")
    assert page.status == 500
    assert "Une erreur est survenue dans Yelen." in page
    assert "Traceback" not in page.html
    assert "TypeError" in caplog.text
