"""How moments, ages and counts are written on every page, in the site's time zone."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta

from flask import Flask

from core.i18n import _, plural
from core.model.birth import from_dicom
from core.model.names import display_name, split_person_name
from core.model.people import role_word
from core.model.report import ReportVersion, VersionState, section_title
from core.model.step import DeliveryEvent, ReportEvent, StepEvent, flag_word
from kiosk.surroundings import services
from kiosk.viewing import thumbnail


def install(app: Flask) -> None:
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.globals.update(_=_, plural=plural, once_key=once_key, flag_word=flag_word, section_title=section_title)
    env.globals.update(version_word=version_word, thumbnail=thumbnail)
    env.filters.update(hour=hour, moment=moment, day=long_day, short_day=short_day, waiting=waiting, role=role_word)
    env.filters.update(event_word=event_word, pn=pn, da=da, shift=shift)


def once_key() -> str:
    """The key of one form as it was shown: sending it twice acts once."""
    return secrets.token_hex(8)


def hour(at: datetime | None) -> str:
    """« 08:41 », or nothing."""
    return f"{services().local(at):%H:%M}" if at else ""


def moment(at: datetime | None) -> str:
    """« 08:41 » today, « hier 18:10 », else « 12/03 08:10 », with the year when it is another."""
    if at is None:
        return ""
    local, today = services().local(at), services().today()
    days = (today - local.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    if days in (1, -1):
        return f"{_('hier') if days == 1 else _('demain')} {local:%H:%M}"
    return f"{local:%d/%m %H:%M}" if local.year == today.year else f"{local:%d/%m/%Y %H:%M}"


def long_day(day: date) -> str:
    """« mardi 4 mars 2025 »."""
    weekdays = (_("lundi"), _("mardi"), _("mercredi"), _("jeudi"), _("vendredi"), _("samedi"), _("dimanche"))
    months = (
        *(_("janvier"), _("février"), _("mars"), _("avril"), _("mai"), _("juin")),
        *(_("juillet"), _("août"), _("septembre"), _("octobre"), _("novembre"), _("décembre")),
    )
    number = _("1er") if day.day == 1 else str(day.day)
    return f"{weekdays[day.weekday()]} {number} {months[day.month - 1]} {day.year}"


def short_day(day: date) -> str:
    """« aujourd'hui », « hier », « demain », else « mar. 04/03 »."""
    days = (day - services().today()).days
    near = {0: _("aujourd'hui"), -1: _("hier"), 1: _("demain")}
    return near.get(days, f"{long_day(day)[:3]}. {day:%d/%m}")


def waiting(since: datetime | None) -> str:
    """« 12 min », « 2 h 05 », « 3 j » since that moment."""
    if since is None:
        return ""
    minutes = max(0, int((services().clock.now() - since).total_seconds() // 60))
    if minutes < 60:
        return _("%d min") % minutes
    if minutes < 48 * 60:
        return _("%d h %02d") % divmod(minutes, 60)
    return _("%d j") % (minutes // (24 * 60))


def shift(day: date, days: int) -> date:
    return day + timedelta(days=days)


def pn(name: str) -> str:
    """A DICOM PN as people write it: « OUÉDRAOGO Aïssata »."""
    return display_name(*split_person_name(name))


def da(text: str) -> str:
    """A DICOM DA as « 04/03/2025 », nothing when it is no date."""
    day = from_dicom(text).exact
    return f"{day:%d/%m/%Y}" if day else ""


def version_word(version: ReportVersion) -> str:
    """What a version of a report is now."""
    return {
        VersionState.RELEASED: _("provisoire"),
        VersionState.SIGNED: _("signé"),
        VersionState.SUPERSEDED: _("remplacé"),
        VersionState.WITHDRAWN: _("retiré"),
    }[version.state]


def event_word(event: str) -> str:
    """What happened to an exam, as the path on its page says it."""
    return _EVENTS().get(event, event.lower().replace("_", " "))


def _EVENTS() -> dict[str, str]:  # noqa: N802 - a table that must be translated when spoken
    return {
        StepEvent.ORDER_RECEIVED: _("demandé"),
        StepEvent.VETTED: _("protocolé"),
        StepEvent.SLOT_GIVEN: _("rendez-vous donné"),
        StepEvent.SLOT_MOVED: _("rendez-vous déplacé"),
        StepEvent.SLOT_WITHDRAWN: _("rendez-vous retiré"),
        StepEvent.PATIENT_ARRIVED: _("arrivé à l'accueil"),
        StepEvent.ARRIVAL_UNDONE: _("arrivée annulée"),
        StepEvent.ACQUISITION_STARTED: _("entré en salle"),
        StepEvent.ACQUISITION_ENDED: _("images faites"),
        StepEvent.ACQUISITION_DISCONTINUED: _("interrompu"),
        StepEvent.RETAKE: _("à refaire"),
        StepEvent.CANCELED: _("annulé"),
        StepEvent.REACTIVATED: _("redemandé"),
        StepEvent.NO_SHOW: _("absent"),
        StepEvent.PATIENT_CORRECTED: _("patient corrigé"),
        StepEvent.UNSCHEDULED_IMAGES: _("images sans demande"),
        StepEvent.RECONCILED: _("rattaché à une demande"),
        StepEvent.EMPTIED: _("images rattachées ailleurs"),
        ReportEvent.JUDGED_DIAGNOSTIC: _("jugé lisible"),
        ReportEvent.IMAGES_VERIFIED: _("images vérifiées, à interpréter"),
        ReportEvent.REPORT_WAIVED: _("clos sans compte rendu"),
        ReportEvent.REPORT_CLAIMED: _("compte rendu redemandé"),
        ReportEvent.DICTATION_SAVED: _("dicté"),
        ReportEvent.TEXT_TYPED: _("tapé"),
        ReportEvent.DRAFT_SUBMITTED: _("soumis à la signature"),
        ReportEvent.PRELIMINARY_RELEASED: _("provisoire envoyé au service"),
        ReportEvent.SENT_BACK: _("rendu à l'auteur"),
        ReportEvent.SIGNED: _("signé"),
        ReportEvent.REVISION_OPENED: _("correction ouverte"),
        ReportEvent.SIGNATURE_WITHDRAWN: _("signature retirée"),
        DeliveryEvent.DELIVERED: _("remis au service"),
        DeliveryEvent.FAILED: _("échec d'envoi"),
        DeliveryEvent.REQUEUED: _("envoi relancé"),
        DeliveryEvent.WITHDRAWN: _("envoi retiré"),
    }
