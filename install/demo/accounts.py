"""Who may log in at the demo hospital. The secrets are public: nothing real is ever kept behind them."""

from __future__ import annotations

from core.i18n import _
from core.model.people import Role, User

PASSWORD, PIN = "yelen-demo", "1234"


def users() -> tuple[tuple[User, str], ...]:
    """(account, what it is for)."""
    return (
        (User("accueil", "Awa KABORÉ", frozenset({Role.RECEPTION})), _("réception : terminal")),
        (User("manip", "Issa SANOU", frozenset({Role.TECHNOLOGIST})), _("manipulateur : terminal, salle")),
        (User("radiologue", "Dr Salif TRAORÉ", frozenset({Role.RADIOLOGIST})), _("radiologue : navigateur")),
        (User("interne", "Dr Mariam OUATTARA", frozenset({Role.RESIDENT})), _("interne : navigateur")),
        (
            User("urgences", "Dr Fatou DIALLO", frozenset({Role.CLINICIAN}), ward="URG"),
            _("service des urgences : navigateur"),
        ),
        (
            User("pediatrie", "Dr Paul ZONGO", frozenset({Role.CLINICIAN}), ward="PED"),
            _("service de pédiatrie : navigateur"),
        ),
        (User("identite", "Rasmata ILBOUDO", frozenset({Role.IDENTITY_OFFICER})), _("identitovigilance : terminal")),
        (
            User("admin", "Yacouba NIKIÈMA", frozenset({Role.ADMINISTRATOR})),
            _("administrateur : terminal, page État du navigateur"),
        ),
    )
