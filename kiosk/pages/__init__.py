"""One module, one blueprint, one folder of templates, one test file: one page."""

from __future__ import annotations

from flask import Flask

from kiosk.pages import (
    csp,
    desk,
    exam,
    frame,
    lock,
    login,
    preliminary,
    printing,
    reading,
    report,
    signature,
    state,
    static_files,
    study,
    tasks,
    ward,
    watch,
)

PAGES = (
    *(static_files, csp, login, lock, watch, ward, exam, study, frame),
    *(reading, desk, preliminary, signature, report, printing, state, tasks),
)


def install(app: Flask) -> None:
    for page in PAGES:
        app.register_blueprint(page.door)
