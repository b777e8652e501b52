"""The signature: nobody signs blind. First everything the signer must have seen, then the PIN.

The form carries the hash of what was shown. When anything has come since, the page is shown again instead of signing.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, redirect, request, url_for

from core.errors import BadInput, Conflict, NotAllowed
from core.i18n import _
from core.model.report import Discordance, ReportText
from kiosk.access import go
from kiosk.fragments import render
from kiosk.surroundings import actor, kiosk, services

door = Blueprint("signature", __name__)


def draft_of(step_id: int) -> ReportText | None:
    """The draft that this reader holds; None when the exam is not open in their hands."""
    desk = services().reports.desk(actor(), step_id)
    return desk.draft if desk.mine else None


def held_draft(step_id: int) -> ReportText:
    """The draft to be signed or released. Raises `Conflict` when it is no longer in this reader's hands."""
    text = draft_of(step_id)
    if text is None:
        raise Conflict(_("Ce compte rendu n'est plus ouvert chez vous."))
    return text


def once(act: Callable[[], str]) -> Response:
    """Do the act of this form once; a second sending sees the same next page."""
    target = kiosk().once.run(actor().name, request.form.get("cle", ""), act)
    return redirect(target, 303)  # type: ignore[return-value]


@door.get("/lecture/<int:step_id>/signature")
def page(step_id: int) -> Response:
    text = draft_of(step_id)
    return go("desk.page", step_id=step_id) if text is None else show(step_id, text)


def show(step_id: int, text: ReportText, sentence: str = "") -> Response:
    return render(
        "signature/page.html",
        line=services().scheduling.line(actor(), step_id),
        view=services().reports.signer_view(actor(), step_id, text),
        discordances=Discordance,
        sentence=sentence,
        typed=request.form,
    )


@door.post("/lecture/<int:step_id>/signature")
def sign(step_id: int) -> Response:
    form = request.form

    def act() -> str:
        services().reports.sign(
            actor(),
            step_id,
            held_draft(step_id),
            form.get("secret", ""),
            form.get("vu", ""),
            reason=form.get("motif", "").strip(),
            discordance=form.get("discordance", ""),
            critical="critique" in form,
        )
        return url_for("report.page", step_id=step_id)

    try:
        return once(act)
    except (NotAllowed, BadInput, Conflict) as error:
        text = draft_of(step_id)
        return go("desk.page", step_id=step_id) if text is None else show(step_id, text, str(error))


@door.post("/lecture/<int:step_id>/tardive/<key>")
def acknowledge(step_id: int, key: str) -> Response:
    """« Vue » beside an image that came after the report was opened."""
    services().reports.acknowledge_late(actor(), step_id, key)
    return go("signature.page", step_id=step_id)
