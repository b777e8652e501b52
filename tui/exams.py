"""How an exam is written: the columns of the lists, the two lines of the detail, the words of its alerts."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import _
from core.model.order import Urgency
from core.model.step import Flag, flag_word
from core.model.worklist import ExamLine
from tui.core import Core
from tui.widgets.cells import Column, safe, wrap
from tui.widgets.lines import BOLD, Line

QUIET_FLAGS = (Flag.COMMIT_OK, Flag.NO_CHECKLIST)


def day_columns(core: Core, width: int) -> list[Column[ExamLine]]:
    """The day list: 80 columns, or 78 beside the context pane."""
    narrow = width < 80
    return [
        Column(_("Heure"), 5, lambda e: core.hour(e.scheduled_at) or "--:--"),
        Column(_("IPP"), 10, lambda e: e.patient_number),
        Column(_("Patient"), 22 if narrow else 23, lambda e: e.patient_name),
        Column(_("Age"), 3, lambda e: e.age(core.today()), right=True),
        Column(_("S"), 1, lambda e: e.sex.replace("O", "I")),
        Column(_("Examen"), 12 if narrow else 13, lambda e: e.exam_label),
        Column(_("Salle"), 5, lambda e: e.room),
        Column(_("Etat"), 9, lambda e: e.status.terminal),
        Column("!", 3, lambda e: e.mark),
    ]


def identity(core: Core, exam: ExamLine) -> str:
    """Full name, exact age and birth date: what is asked before anything is done to a child."""
    name, age = safe(exam.patient_name), exam.age_long(core.today())
    return f"{name}  {age} {exam.sex.replace('O', 'I')} {exam.birth.shown()}"


def detail(core: Core, exam: ExamLine) -> list[str]:
    """Two lines under the list."""
    asked = f"{exam.prescriber} ({exam.ward})" if exam.ward else exam.prescriber
    first = f"{exam.patient_number} {identity(core, exam)}  {_('Dem.')} {exam.accession_number}  {safe(asked)}"
    words = alerts(exam)
    second = _("Attention : %s") % ", ".join(words) if words else _("Motif : %s") % safe(exam.indication)
    return [first, second]


def alerts(exam: ExamLine) -> list[str]:
    """Every flag in words, the most urgent first."""
    held = [f for f in Flag if f in exam.flags and f not in QUIET_FLAGS]
    words = [flag_word(f) for f in held]
    if exam.urgency == Urgency.VITAL:
        words.insert(0, Urgency.VITAL.word)
    if exam.awaiting_vetting:
        words.append(_("à protocoler"))
    return words


def progress(exam: ExamLine) -> str:
    """« 214 / attendu 220 » images."""
    if exam.expected_images is None:
        return str(exam.images)
    return _("%d / attendu %d") % (exam.images, exam.expected_images)


def card(core: Core, exam: ExamLine, width: int) -> list[Line]:
    """The exam beside a list: who, what was asked, what to beware of."""
    name, motif = safe(exam.patient_name), wrap(_("Motif : %s") % safe(exam.indication), width)
    lines: list[Line] = [
        _("FICHE"),
        [(name, BOLD)],
        f"{exam.age_long(core.today())} {exam.sex.replace('O', 'I')}  {exam.birth.shown()}",
        exam.patient_number,
        f"{_('Dem.')} {exam.accession_number}  {safe(exam.prescriber)} {safe(exam.ward)}",
        f"{safe(exam.exam_label)}  {exam.room}  {exam.status.word}",
        *motif[:3],
    ]
    if exam.images or exam.expected_images:
        lines.append(_("Images : %s") % progress(exam))
    if exam.dose:
        lines.append(_("Dose : %s") % safe(exam.dose))
    if words := alerts(exam):
        lines += ["", _("ALERTES"), *words]
    return lines


def past(core: Core, exams: Sequence[ExamLine], now: ExamLine) -> list[Line]:
    """The patient's other exams, newest first."""
    others = sorted((e for e in exams if e.step_id != now.step_id), key=lambda e: str(e.exam_day or ""), reverse=True)
    lines = [f"{e.exam_day:%m/%Y} {safe(e.exam_label)}  {e.status.word}" for e in others if e.exam_day]
    return ["", _("HISTORIQUE"), *(lines or [_("aucun autre examen")])]


def facts(core: Core, exam: ExamLine) -> list[tuple[str, str]]:
    """Everything that is known of an exam, as (word, value); empty values are left out."""
    pairs: Sequence[tuple[str, str]] = (
        (_("Patient"), f"{exam.patient_number}  {identity(core, exam)}"),
        (_("Examen"), f"{exam.exam_label} ({exam.exam_code})  {exam.room}"),
        (_("Demande"), f"{exam.accession_number}  {exam.prescriber} {exam.ward}"),
        (_("Motif"), exam.indication),
        (_("Urgence"), Urgency(exam.urgency).word if exam.urgency in set(Urgency) else exam.urgency),
        (_("Etat"), exam.status.word),
        (_("Alertes"), ", ".join(alerts(exam))),
        (_("Images"), progress(exam) if exam.images or exam.expected_images else ""),
        (_("Dose"), exam.dose),
        (_("Poids"), f"{exam.weight_kg:g} kg".replace(".", ",") if exam.weight_kg else ""),
        (_("CR"), exam.report_author),
    )
    return [(word, safe(value)) for word, value in pairs if value.strip()]
