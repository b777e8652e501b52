"""`yelen`: one line per command here, its code in `install/commands`, imported only when it is called.

Every command takes `--data DIR` and `--set section.key=value`. Names are English, what is printed is French.
Exit codes: 0 done, 1 refused (the sentence is on stderr), 2 wrong usage, 3 box stopped (`status`), 78 configuration.
"""

from __future__ import annotations

from install.french import FrenchGroup, run

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("install.commands.init:init", "créer un dossier de données et le premier administrateur"),
    "serve": ("install.commands.serve:serve", "ouvrir le serveur"),
    "demo": ("install.commands.demo:demo", "un hôpital de démonstration qui fonctionne"),
    "tui": ("install.commands.tui:tui", "ouvrir le terminal"),
    "status": ("install.commands.status:status", "dire où en est le serveur"),
    "check": ("install.commands.check:check", "examiner l'installation"),
    "user": ("install.commands.users:user", "comptes : add, list, remove"),
    "device": ("install.commands.devices:device", "machines DICOM : add, show, list, remove, probe, contacts"),
    "room": ("install.commands.rooms:room", "salles : add, list, remove"),
    "exam": ("install.commands.exams:exam", "examens proposés : add, list, remove"),
    "sender": ("install.commands.senders:sender", "systèmes qui envoient du HL7 : add, list, remove"),
    "destination": (
        "install.commands.destinations:destination",
        "systèmes à qui l'on envoie du HL7 : add, list, remove",
    ),
    "route": (
        "install.commands.routes:route",
        "études qui partent seules vers une autre machine : add, list, remove, queue, retry, abandon",
    ),
    "printer": ("install.commands.printers:printer", "imprimantes : add, list, remove"),
    "why": ("install.commands.why:why", "dire pourquoi un examen n'est pas sur la machine"),
    "conformance": ("install.commands.conformance:conformance", "déclaration de conformité DICOM"),
    "list": ("install.commands.listing:listing", "les listes en texte simple"),
    "settle": ("install.commands.settle:settle", "régler une ligne d'une liste : task, quarantine, rejection"),
    "quarantine": ("install.commands.quarantine:quarantine", "ce qui a été mis de côté : retry"),
    "import": (
        "install.commands.importing:import_",
        "archiver des fichiers, un disque, une clé USB, ou ramener un export",
    ),
    "export": ("install.commands.exporting:export", "tout copier dans un dossier que d'autres savent lire"),
    "migrate": ("install.commands.migrate:migrate", "faire venir les études d'une autre archive"),
    "verify": ("install.commands.verify:verify", "relire chaque fichier et comparer son empreinte"),
    "reindex": ("install.commands.reindex:reindex", "refaire l'index des images à partir des fichiers"),
    "backup": ("install.commands.backup:backup", "copier l'index et les clés dans un dossier"),
    "restore": ("install.commands.backup:restore", "remettre une sauvegarde en place"),
    "replica": ("install.commands.replica:replica", "second bâtiment : status, verify, apply"),
    "audit": ("install.commands.audit:audit", "journal d'audit : verify"),
}

main_group = FrenchGroup(
    name="yelen",
    table=COMMANDS,
    help="Yelen : un service d'imagerie dans une boîte.",
    epilog="« yelen COMMANDE --help » dit ce que prend une commande.",
)


def main() -> None:
    run(main_group)


if __name__ == "__main__":
    main()
