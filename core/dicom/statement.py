"""Our conformance statement, for people who connect machines: made from the tables the door itself uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from core.dicom import conformance, query, secure, status, storage, worklist
from core.dicom.find_attributes import columns
from core.dicom.limits import MIB, Limits
from core.dicom.negotiation import Refusal
from core.i18n import _
from core.model.finding import Level
from core.model.received import REASON_SENTENCES, Reason
from core.model.rejection import KEY_OBJECT_SELECTION


def statement(limits: Limits | None = None) -> str:
    """Markdown, in the language spoken now."""
    parts = [
        _("# Déclaration de conformité DICOM"),
        _("Classe d'implémentation %s, version %s.") % (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION),
        *_section(_("Services rendus (SCP)"), (_("service"), _("classe SOP")), _services()),
        *_section(_("Services demandés (SCU)"), (_("service"), _("classe SOP")), _requests()),
        *_section(
            _("Syntaxes de transfert acceptées, dans cet ordre"), (_("syntaxe"), _("nom"), _("pour")), _syntaxes()
        ),
        *_section(_("Liste de travail : attributs"), (_("attribut"), _("nom"), "VR", _("niveau")), _worklist()),
        *_section(_("Recherche dans l'archive : attributs"), (_("attribut"), _("nom"), "VR", _("niveau")), _queries()),
        *_section(_("Réponses à C-FIND"), (_("état"), _("quand")), _find_statuses()),
        *_section(_("Négociation étendue de la recherche"), (_("octet"), _("réponse")), _extended()),
        *_section(_("Réponses à C-STORE"), (_("état"), _("quand")), _statuses()),
        *_section(_("Réponses finales à C-GET et C-MOVE"), (_("état"), _("quand")), _retrieve_statuses()),
        *_section(_("Refus d'association"), (_("résultat, source, raison"), _("cause")), _refusals()),
        *_section(_("Sécurité (PS3.15)"), (_("point"), _("valeur")), _security()),
        *_section(_("Limites"), (_("limite"), _("valeur")), _limits(limits or Limits())),
    ]
    return "\n".join(parts) + "\n"


_RETRIEVES = (*conformance.GETS, *conformance.MOVES)


def _section(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _services() -> list[tuple[str, str]]:
    return [
        (_("Vérification (C-ECHO)"), conformance.VERIFICATION),
        (_("Archivage (C-STORE), toute classe connue ou non"), f"{conformance.STORAGE_PREFIX}*"),
        (_("Notes de rejet (IOCM) : les images citées ne sont plus montrées"), KEY_OBJECT_SELECTION),
        (_("Liste de travail (C-FIND)"), conformance.MODALITY_WORKLIST_FIND),
        (_("Recherche (C-FIND), racine patient"), conformance.PATIENT_ROOT_FIND),
        (_("Recherche (C-FIND), racine étude"), conformance.STUDY_ROOT_FIND),
        *((_("Envoi d'images demandé par une machine (C-GET, C-MOVE)"), uid) for uid in _RETRIEVES),
        (_("Étape réalisée (MPPS : N-CREATE, N-SET)"), conformance.PERFORMED_PROCEDURE_STEP),
        (_("Engagement de stockage (N-ACTION, N-EVENT-REPORT)"), conformance.STORAGE_COMMITMENT),
    ]


def _requests() -> list[tuple[str, str]]:
    return [
        (_("Vérification (C-ECHO)"), conformance.VERIFICATION),
        (
            _("Envoi d'images (C-STORE) : à la demande d'une machine, ou par une règle"),
            f"{conformance.STORAGE_PREFIX}*",
        ),
        (_("Résultat d'un engagement (N-EVENT-REPORT), rôle SCP négocié"), conformance.STORAGE_COMMITMENT),
        (_("Recherche dans une autre archive (C-FIND), racine étude"), conformance.STUDY_ROOT_FIND),
        (_("Études d'une autre archive, vers nous (C-MOVE), racine étude"), conformance.STUDY_ROOT_MOVE),
    ]


def _security() -> list[tuple[str, str]]:
    return [
        (_("sans TLS"), _("titre AE et adresse de la machine, tous deux déclarés")),
        (_("TLS, sur un port à part"), _("TLS 1.2 au moins, 1.3 de préférence ; profil BCP 195 (B.9 à B.12)")),
        (_("chiffrements TLS 1.2"), secure.CIPHERS.replace(":", ", ")),
        (_("certificat de la machine"), _("facultatif ; s'il est déclaré, elle seule parle sous son titre")),
    ]


def _syntaxes() -> list[tuple[str, str, str]]:
    messages, images = conformance.MESSAGE_SYNTAXES, conformance.STORAGE_SYNTAXES
    words = {True: _("tous les services"), False: _("archivage")}
    return [(uid, _named(uid), words[uid in messages]) for uid in images]


def _named(uid: str) -> str:
    import pynetdicom  # noqa: F401 - adds the newest syntaxes to the names of pydicom
    from pydicom.uid import UID

    name = UID(uid).name
    return "" if name == uid else str(name)


def _tag(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _attribute(tag: int) -> tuple[str, str]:
    from pydicom.datadict import dictionary_description

    return _tag(tag), dictionary_description(tag)


def _worklist() -> Iterator[tuple[str, ...]]:
    for column in worklist.STEP_COLUMNS:
        yield *_attribute(column.tag), getattr(column, "vr", "SQ"), _tag(worklist.STEP_SEQUENCE)
    for column in worklist.COLUMNS:
        yield *_attribute(column.tag), getattr(column, "vr", "SQ"), ""


def _queries() -> Iterator[tuple[str, ...]]:
    for level in Level:
        wider = {column.tag for column in columns(Level(level - 1))} if level else set()
        for column in columns(level):
            if column.tag not in wider:
                yield *_attribute(column.tag), getattr(column, "vr", "SQ"), level.name


def _find_statuses() -> list[tuple[str, str]]:
    found = [
        (status.PENDING, _("une réponse, toutes les clés sont connues")),
        (status.PENDING_UNSUPPORTED_KEYS, _("une réponse, des clés demandées sont inconnues (recherche seulement)")),
        (status.SUCCESS, _("fin : toutes les réponses ont été données")),
        (status.CANCELLED, _("fin : annulé par C-CANCEL")),
        (status.OUT_OF_RESOURCES, _("fin : limite de la machine atteinte (ou 0xB001, 0x0000 selon sa fiche)")),
        (status.DATA_SET_MISMATCH, _("niveau absent ou inconnu, recherche trop large, date ou nombre illisible")),
        (status.CANNOT_UNDERSTAND, _("requête illisible")),
    ]
    return [(f"0x{code:04X}", words) for code, words in found]


def _extended() -> list[tuple[str, str]]:
    words = (
        _("recherche relationnelle : oui, avec une clé sélective"),
        _("date et heure combinées : oui"),
        _("noms approchés : oui, par leur son (mots dans tout ordre)"),
    )
    return [(str(place + 1), text) for place, text in enumerate(words) if conformance.QUERY_EXTENDED[place]]


def _statuses() -> Iterator[tuple[str, str]]:
    yield "0x0000", _("enregistré durablement, ou copie identique déjà enregistrée")
    yield "0xA700", _("disque plein ou en panne : rien n'est gardé, renvoyer plus tard")
    for reason in Reason:
        if reason in storage.SET_ASIDE:
            yield f"0x{storage.quarantine_status(reason):04X}", _("mis de côté : %s") % _(REASON_SENTENCES[reason])


def _retrieve_statuses() -> list[tuple[str, str]]:
    """Objects go as they are stored where that is accepted, else uncompressed; to the requestor only if it is SCP."""
    return [
        (f"0x{status.SUCCESS:04X}", _("tout est parti, ou rien ne correspond")),
        (f"0x{status.SUBOPERATIONS_FAILED:04X}", _("une partie n'est pas partie ; la liste (0008,0058) dit laquelle")),
        (f"0x{status.SUBOPERATIONS_REFUSED:04X}", _("rien n'est parti ; la liste (0008,0058) dit quoi")),
        (f"0x{status.DESTINATION_UNKNOWN:04X}", _("destination non déclarée, sans adresse, ou qui ne reçoit pas")),
        (f"0x{status.DATA_SET_MISMATCH:04X}", _("niveau ou clé unique absents")),
        (f"0x{status.CANCELLED:04X}", _("arrêté par C-CANCEL")),
    ]


def _refusals() -> list[tuple[str, str]]:
    causes = {
        Refusal.PROTOCOL_VERSION: _("version du protocole"),
        Refusal.APPLICATION_CONTEXT: _("contexte d'application"),
        Refusal.CALLED_AE: _("titre AE appelé : ce n'est pas le nôtre"),
        Refusal.CALLING_AE: _("machine non déclarée : titre AE et adresse doivent correspondre"),
        Refusal.LOCAL_LIMIT: _("trop d'associations : réessayer"),
    }
    return [(str(refusal.value), causes[refusal]) for refusal in Refusal]


def _limits(limits: Limits) -> list[tuple[str, str]]:
    return [
        (_("longueur maximale de PDU annoncée"), _("%d octets") % limits.max_pdu),
        (_("associations en tout, par titre AE"), f"{limits.associations}, {limits.associations_per_ae}"),
        (_("attente de la demande d'association"), _("%g s") % limits.request_time),
        (_("sans PDU complet pendant un message"), _("%g s") % limits.pdu_time),
        (_("silence entre deux messages"), _("%g s") % limits.idle_time),
        (_("taille d'un objet"), _("%d Mio") % (limits.object_size // MIB)),
        (_("réponses à une recherche précise"), str(query.SELECTIVE_LIMIT)),
    ]
