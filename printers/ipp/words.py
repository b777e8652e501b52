"""What an IPP printer says, in the words of the ward: state reasons, refusals, the state of a job.

Sources: RFC 8011 5.4.12 (printer-state-reasons), 5.3.8 (job-state-reasons), appendix B (status codes).
"""

from __future__ import annotations

from core.i18n import _
from printers.ipp.message import Group, GroupTag, Message
from printers.ports import Condition, PrinterState

IDLE, PROCESSING, STOPPED = 3, 4, 5

# Answers that only mean "not now"; every other 0x05xx and every 0x04xx is final.
NOT_NOW = {
    0x0500,  # server-error-internal-error
    0x0502,  # service-unavailable
    0x0505,  # temporary-error
    0x0506,  # not-accepting-jobs
    0x0507,  # busy: one job at a time
}
DEVICE_ERROR = 0x0504  # jam, paper …: the job may have been taken all the same
NOT_FOUND = 0x0406
NOT_POSSIBLE = 0x0404  # cancelling what is over

_SUFFIXES = ("-error", "-warning", "-report")
_HANDS_NEEDED = {
    "media-empty",
    "media-needed",
    "media-jam",
    "cover-open",
    "door-open",
    "interlock-open",
    "input-tray-missing",
    "output-area-full",
    "output-tray-missing",
    "toner-empty",
    "marker-supply-empty",
    "fuser-over-temp",
    "fuser-under-temp",
    "opc-life-over",
    "paused",
}
_NO_NEWS = {
    "none",
    "hold-new-jobs",
    "job-printing",
    "job-incoming",
    "job-queued",
    "processing-to-stop-point",
    "job-completed-successfully",
}


def _sentences() -> dict[str, str]:
    return {
        "media-empty": _("papier vide"),
        "media-needed": _("papier demandé"),
        "media-low": _("bientôt plus de papier"),
        "media-jam": _("bourrage"),
        "cover-open": _("capot ouvert"),
        "door-open": _("porte ouverte"),
        "interlock-open": _("capot ouvert"),
        "input-tray-missing": _("bac retiré"),
        "output-area-full": _("bac de sortie plein"),
        "output-tray-missing": _("bac de sortie retiré"),
        "toner-empty": _("toner vide"),
        "toner-low": _("bientôt plus de toner"),
        "marker-supply-empty": _("encre ou toner vide"),
        "marker-supply-low": _("bientôt plus d'encre ou de toner"),
        "marker-waste-full": _("bac de récupération plein"),
        "opc-life-over": _("tambour usé"),
        "fuser-over-temp": _("four trop chaud"),
        "fuser-under-temp": _("four trop froid"),
        "paused": _("en pause"),
        "shutdown": _("éteinte"),
        "offline": _("hors ligne"),
        "spool-area-full": _("mémoire pleine"),
        "connecting-to-device": _("se connecte"),
        "timed-out": _("ne répond pas à son serveur"),
        "aborted-by-system": _("abandonné par l'imprimante"),
        "job-canceled-by-user": _("annulé à l'imprimante"),
        "job-canceled-by-operator": _("annulé à l'imprimante"),
        "job-canceled-at-device": _("annulé à l'imprimante"),
        "document-format-error": _("document illisible pour l'imprimante"),
        "unsupported-document-format": _("format de document inconnu de l'imprimante"),
        "document-unprintable-error": _("document impossible à imprimer"),
        "printer-stopped": _("imprimante arrêtée"),
    }


def bare(reason: str) -> str:
    """`media-empty-error` is `media-empty`."""
    for suffix in _SUFFIXES:
        reason = reason.removesuffix(suffix)
    return reason


def spoken(reasons: tuple[str, ...]) -> str:
    """The reasons in French; one without a translation stays as the printer said it."""
    known = _sentences()
    news = [reason for reason in reasons if bare(reason) not in _NO_NEWS]
    sentences = [known.get(reason) or known.get(bare(reason)) or reason for reason in news]
    return ", ".join(dict.fromkeys(sentences))


def printer_state(printer: Group) -> PrinterState:
    """The printer's own attributes, summed up."""
    reasons = printer.words("printer-state-reasons")
    condition = _condition(printer, reasons)
    return PrinterState(
        condition=condition,
        reasons=tuple(reason for reason in reasons if reason != "none"),
        sentence=spoken(reasons) or _by_itself(condition, printer),
        media_ready=printer.words("media-ready"),
    )


def _by_itself(condition: Condition, printer: Group) -> str:
    """A state without a reason."""
    if condition is Condition.STOPPED and _refuses_jobs(printer):
        return _("n'accepte pas de travaux")
    if condition is Condition.STOPPED:
        return " ".join(printer.words("printer-state-message")[:1]) or _("arrêtée")
    return _("imprime") if condition is Condition.BUSY else _("ok")


def _condition(printer: Group, reasons: tuple[str, ...]) -> Condition:
    state = printer.number("printer-state")
    hands = [reason for reason in reasons if bare(reason) in _HANDS_NEEDED]
    if (
        state == STOPPED
        or _refuses_jobs(printer)
        or any(not reason.endswith(("-warning", "-report")) for reason in hands)
    ):
        return Condition.STOPPED
    if hands or spoken(reasons):
        return Condition.WARNING
    return Condition.BUSY if state == PROCESSING else Condition.OK


def _refuses_jobs(printer: Group) -> bool:
    return printer.all("printer-is-accepting-jobs") == (False,)


def refusal(answer: Message) -> str:
    """Why a request was refused, with the rejected attribute and value when the printer names them."""
    sentences = {
        0x0400: _("demande mal formée"),
        0x0401: _("interdit"),
        0x0402: _("mot de passe demandé"),
        0x0403: _("non autorisé"),
        0x0404: _("impossible dans cet état"),
        0x0406: _("travail inconnu de l'imprimante"),
        0x0408: _("document trop gros"),
        0x040A: _("format de document non pris en charge"),
        0x040B: _("réglage non pris en charge"),
        0x0500: _("panne interne de l'imprimante"),
        0x0501: _("opération inconnue de l'imprimante"),
        0x0502: _("service indisponible"),
        0x0503: _("version d'IPP non prise en charge"),
        0x0504: _("panne de l'imprimante"),
        0x0505: _("panne passagère de l'imprimante"),
        0x0506: _("n'accepte pas de travaux"),
        0x0507: _("occupée"),
        0x0508: _("travail annulé à l'imprimante"),
        0x0509: _("plusieurs documents à la fois refusés"),
    }
    sentence = sentences.get(answer.code, _("refus 0x%04X") % answer.code)
    rejected = _rejected(answer)
    return f"{sentence} ({rejected})" if rejected else sentence


def _rejected(answer: Message) -> str:
    pairs = []
    for attribute in answer.group(GroupTag.UNSUPPORTED).attributes.values():
        values = ", ".join(str(value) for value in attribute.values if value is not None)
        pairs.append(f"{attribute.name} = {values}" if values else attribute.name)
    return "; ".join(pairs)
