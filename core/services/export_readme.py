"""`README.TXT` of an export: what each file is, for whoever opens it years later; made from the tables themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from peewee import AutoField, BlobField, BooleanField, Field, FloatField, ForeignKeyField, IntegerField

from core.i18n import _
from core.index.fields import DayField, ListField, MomentField
from core.index.tables import Table
from core.index.triggers import columns
from core.model.export import FORMAT, Asked, rows_name
from core.services.export_rows import CHOSEN, FAMILIES


def readme(asked: Asked) -> str:
    back = _(
        "Retour dans une boîte neuve : yelen init, puis yelen import --export CE-DOSSIER --keys CLES (celles de\n"
        "« yelen replica carry-keys », portées à part : elles ne sont pas ici)."
    )
    only = _("Ce choix de lignes sert à lire : il ne refait pas une boîte.")
    return "\n".join((_files() % FORMAT, "", back if asked.is_all else only, "", _lines(), "", *_schema(asked), ""))


def _files() -> str:
    return _(
        "EXPORT DE YELEN (format %d)\n"
        "Confidentiel : des noms, des images et des comptes rendus d'enfants. À garder sous clé.\n"
        "\n"
        "DICOM/        les images telles que reçues : fichiers DICOM Part 10, jamais modifiés\n"
        "DICOMDIR      leur répertoire (PS3.10), que toute visionneuse ouvre ; il dit ce que disent les fichiers, et\n"
        "              là où un fichier se tait la date de réception ou un numéro d'ordre tient la place\n"
        "HIDDEN/       images rejetées et notes de rejet : gardées, à ne pas montrer\n"
        "ASIDE/        ce qui était mis de côté : illisible, ou contraire à un fichier déjà reçu\n"
        "REPORTS/      chaque version de chaque compte rendu, en PDF\n"
        "DATA/         les données, en lignes JSON (UTF-8), décrites plus bas\n"
        "EXPORT.JSON   ce qu'est ce dossier : site, date, lignes par table, ce qui manquait (faults)\n"
        "MANIFEST.TXT  l'empreinte SHA-256 de chaque fichier ; contrôle : sha256sum -c MANIFEST.TXT\n"
        "\n"
        "Noms : DICOM/ST…/SE…/IM…, HIDDEN/IM…, ASIDE/QU…, REPORTS/CR….PDF, suivis de l'id de la ligne\n"
        "(study, series, instance, quarantine, report_version) en base 36 (0-9, A-Z), sur six caractères."
    )


def _lines() -> str:
    return _(
        "LES DONNÉES\n"
        'Une ligne : {"table": nom, "row": {colonne: valeur}}. « → table » : l\'id d\'une ligne de cette table.\n'
        "Moment : ISO 8601, temps universel (2026-11-24T08:30:00Z). Jour : AAAA-MM-JJ. Oui/non : 1/0. Rien : null.\n"
        "Liste : du JSON dans un texte. Octets : hexadécimal. Nombre à virgule : un texte, avec tous ses chiffres."
    )


def _schema(asked: Asked) -> Iterator[str]:
    for family, tables in FAMILIES.items():
        chosen = [t for t in tables if asked.is_all or t._meta.table_name in CHOSEN]
        if chosen:
            yield from (rows_name(family), "")
        for table in chosen:
            yield f"  {table._meta.table_name}"
            described = ", ".join(f"{name} ({_type(_field(table, name))})" for name in columns(table))
            yield from textwrap.wrap(described, 110, initial_indent="    ", subsequent_indent="    ")
            yield ""


def _field(table: type[Table], column: str) -> Field:
    return next(f for f in table._meta.sorted_fields if f.column_name == column)


def _type(field: Field) -> str:
    match field:
        case ForeignKeyField():
            return f"→ {field.rel_model._meta.table_name}"
        case AutoField():
            return _("numéro")
        case MomentField():
            return _("moment")
        case DayField():
            return _("jour")
        case ListField():
            return _("liste")
        case BooleanField():
            return _("oui/non")
        case FloatField():
            return _("nombre à virgule")
        case IntegerField():
            return _("nombre")
        case BlobField():
            return _("octets")
    return _("texte")
