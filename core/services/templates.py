"""Report templates of the department: our own French paediatric texts, chosen by exam code, then by modality."""

from __future__ import annotations

from core.i18n import _
from core.model.report import ReportText


def templates_for(exam_code: str, modality: str = "") -> list[tuple[str, ReportText]]:
    """(name, text), the best fitting first, an empty page last."""
    code, kind = exam_code.upper(), modality.upper()
    fitting = [(name, text) for prefix, name, text in _all() if code.startswith(prefix)]
    by_kind = [(name, text) for prefix, name, text in _all() if prefix == kind]
    return [*dict((*fitting, *by_kind)).items(), (_("Page blanche"), ReportText())]


def _all() -> list[tuple[str, str, ReportText]]:
    return [
        (
            "RX-THORAX",
            _("Thorax de face, normal"),
            ReportText(
                technique=_("Radiographie du thorax de face."),
                comparison=_("Pas d'examen antérieur disponible."),
                findings=_(
                    "Transparence pulmonaire normale et symétrique.\n"
                    "Pas de foyer parenchymateux, pas d'épanchement pleural.\n"
                    "Silhouette cardio-médiastinale de taille normale pour l'âge.\n"
                    "Squelette visible sans particularité."
                ),
                conclusion=_("Radiographie thoracique normale."),
            ),
        ),
        (
            "TDM-CRANE",
            _("Crâne sans injection, normal"),
            ReportText(
                technique=_("Acquisition hélicoïdale sans injection."),
                comparison=_("Pas d'examen antérieur disponible."),
                findings=_(
                    "Pas d'hémorragie intra ou extra-axiale.\n"
                    "Système ventriculaire de taille et de morphologie normales pour l'âge.\n"
                    "Différenciation substance blanche - substance grise conservée.\n"
                    "Pas de trait de fracture visible."
                ),
                conclusion=_("Scanner crânio-encéphalique sans anomalie décelable."),
            ),
        ),
        (
            "ECHO-ABDO",
            _("Abdomen, normal"),
            ReportText(
                technique=_("Échographie abdominale par voie transcutanée."),
                comparison=_("Pas d'examen antérieur disponible."),
                findings=_(
                    "Foie de taille et d'échostructure normales.\n"
                    "Voies biliaires non dilatées, vésicule alithiasique.\n"
                    "Reins de taille normale pour l'âge, sans dilatation des cavités.\n"
                    "Rate et pancréas sans particularité. Pas d'épanchement."
                ),
                conclusion=_("Échographie abdominale normale."),
            ),
        ),
        (
            "IRM-CRANE",
            _("IRM cérébrale, normale"),
            ReportText(
                technique=_("Séquences axiales et sagittales sans injection."),
                comparison=_("Pas d'examen antérieur disponible."),
                findings=_(
                    "Pas d'anomalie de signal du parenchyme cérébral.\n"
                    "Ligne médiane en place, ventricules de taille normale.\n"
                    "Fosse postérieure sans particularité."
                ),
                conclusion=_("IRM cérébrale sans anomalie décelable."),
            ),
        ),
    ]
