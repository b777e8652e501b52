"""The one table of keys: the same key is the same verb on every screen. Footer and help page are made from it.

Only function keys, arrows, Tab, Enter, Escape, pages, ends and Del; bare letters exist inside menus alone. F11 is never
used (full screen), F10 is also Escape, F12 locks from anywhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.i18n import _


@dataclass(frozen=True, slots=True)
class Key:
    """id: stable, `screen.verb`. word: in the footer at 80 columns ("" = not there); long: at 120, when it differs."""

    id: str
    key: str
    word: str
    help: str
    long: str = ""

    @property
    def verb(self) -> str:
        return self.id.partition(".")[2]

    @property
    def cap(self) -> str:
        """How the key is written: F6, Suppr, Entrée."""
        named = {"delete": _("Suppr"), "enter": _("Entrée"), "escape": "F10", "tab": "Tab"}
        return named.get(self.key, self.key.upper())


def keymap(screen: str) -> tuple[Key, ...]:
    """The keys of a screen, in the order of its footer."""
    return (_help(), *_OF[screen](), _lock())


def find(screen: str, key: str) -> Key | None:
    return next((k for k in keymap(screen) if k.key == key), None)


def footer(screen: str, width: int, impossible: Collection[str] = ()) -> str:
    """What the keys do now; a verb that is impossible now is absent."""
    keys = [k for k in keymap(screen) if k.word and k.verb not in impossible]
    if width >= 120:
        return "  ".join(f"{k.cap} {k.long or k.word}" for k in keys)
    return " ".join(f"{k.cap}{k.word}" for k in keys)


def _help() -> Key:
    return Key("all.help", "f1", _("Aide"), _("Cette page : les touches de l'écran."))


def _lock() -> Key:
    text = _("Verrouille le poste, sans confirmation ; l'écran est vidé, le code PIN ramène au même endroit.")
    return Key("all.lock", "f12", _("Ver"), text, _("Verrouiller"))


def _back(word: str, text: str) -> Key:
    return Key("all.back", "escape", word, text)


def _day() -> tuple[Key, ...]:
    return (
        Key("day.patient", "f2", _("Patient"), _("Chercher ou inscrire un patient.")),
        Key("day.filter", "f3", _("Filtre"), _("Choisir le jour, la salle et l'état montrés.")),
        Key("day.order", "f4", _("Ordre"), _("Nouvel examen pour le patient de la ligne.")),
        Key("day.refresh", "f5", _("Actu"), _("Relit la liste et applique les changements comptés."), _("Actualiser")),
        Key("day.arrive", "f6", _("Arrivé"), _("Le patient est là : question d'identité, puis ARRIVE.")),
        Key("day.print", "f7", _("Impr"), _("Étiquette, bracelet ou convocation de la ligne."), _("Imprimer")),
        Key("day.alerts", "f8", _("Alerte"), _("Toutes les alertes de la ligne, en mots."), _("Alertes")),
        Key("day.open", "enter", "", _("Ouvre l'examen de la ligne : détail et historique.")),
        Key("day.cancel", "delete", "", _("Annule l'examen de la ligne, avec un motif.")),
        _back(_("Menu"), _("Menu : salle, impressions, absent, session, quitter.")),
    )


def _patient() -> tuple[Key, ...]:
    return (
        Key("patient.search", "f3", _("Chercher"), _("Cherche un patient connu : nom, numéro, téléphone.")),
        Key("patient.unknown", "f8", _("Inconnu"), _("Urgence sans identité : inscrit INCONNU.")),
        Key("patient.save", "f9", _("Enregistrer"), _("Inscrit le patient ; deux fois s'il ressemble à un autre.")),
        Key("patient.take", "enter", "", _("Prend le patient de la ligne choisie avec les flèches.")),
        _back(_("Annuler"), _("Retour à la liste, sans enregistrer.")),
    )


def _order() -> tuple[Key, ...]:
    return (
        Key("order.exam", "f3", _("Examen"), _("Choisit l'examen dans le catalogue.")),
        Key("order.slot", "f4", _("Créneau"), _("Créneaux : gauche, droite = jour ; F4 encore = autre salle.")),
        Key("order.print", "f7", _("Convoc"), _("Imprime la convocation après l'enregistrement."), _("Convocation")),
        Key("order.save", "f9", _("Enregistrer"), _("Enregistre ; le numéro de demande est attribué.")),
        _back(_("Retour"), _("Retour à la liste ; ce qui n'est pas enregistré est abandonné.")),
    )


def _room() -> tuple[Key, ...]:
    return (
        Key("room.choose", "f3", _("Salle"), _("Choisit une autre salle.")),
        Key("room.refresh", "f5", _("Actu"), _("Relit la liste de la salle."), _("Actualiser")),
        Key("room.next", "f6", _("Début/Fin"), _("Commence l'examen de la ligne, ou le termine (dose).")),
        Key("room.print", "f7", _("Etiq"), _("Imprime l'étiquette de la ligne."), _("Étiquette")),
        Key("room.attach", "f8", _("Rattacher"), _("Rattache une série sans demande à l'examen de la ligne.")),
        Key("room.verify", "f9", _("Valider"), _("Images vérifiées : l'examen est à interpréter.")),
        Key("room.open", "enter", "", _("Ouvre l'examen de la ligne : détail et historique.")),
        Key("room.discontinue", "delete", "", _("Interrompt l'examen en cours, avec un motif.")),
        _back(_("Retour"), _("Retour à l'écran précédent.")),
    )


def _prints() -> tuple[Key, ...]:
    return (
        Key("prints.filter", "f3", _("Filtre"), _("Ne montre que les travaux non finis, ou tous.")),
        Key("prints.refresh", "f5", _("Actu"), _("Relit la file."), _("Actualiser")),
        Key("prints.retry", "f6", _("Relancer"), _("Relance un travail en échec ou à vérifier.")),
        Key("prints.again", "f7", _("Réimpr"), _("Imprime de nouveau un travail fini."), _("Réimprimer")),
        Key("prints.divert", "f8", _("Dévier"), _("Envoie le travail à une autre imprimante.")),
        Key("prints.cancel", "delete", "", _("Annule le travail, après confirmation.")),
        _back(_("Retour"), _("Retour à l'écran précédent.")),
    )


def _exam() -> tuple[Key, ...]:
    return (
        Key("exam.refresh", "f5", _("Actu"), _("Relit l'examen."), _("Actualiser")),
        Key("exam.print", "f7", _("Impr"), _("Étiquette, bracelet ou convocation."), _("Imprimer")),
        _back(_("Retour"), _("Retour à la liste.")),
    )


def _entry() -> tuple[Key, ...]:
    return (_back(_("Quitter"), _("Quitte le terminal ; sur un poste verrouillé : autre personne.")),)


def _page() -> tuple[Key, ...]:
    return (_back(_("Retour"), _("Retour à l'écran précédent.")),)


_OF = {
    "day": _day,
    "patient": _patient,
    "order": _order,
    "room": _room,
    "prints": _prints,
    "exam": _exam,
    "entry": _entry,
    "help": _page,
}
SCREENS = tuple(_OF)
