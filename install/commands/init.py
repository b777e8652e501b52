"""`yelen init`: a data folder with its configuration, its keys, its empty index and the first administrator."""

from __future__ import annotations

from pathlib import Path

import click

from core.config import FILE_NAME, filled_template, load
from core.errors import Conflict, YelenError
from core.i18n import _, speak
from core.model.people import Role, User
from core.rpc.contract import AddUser
from install.french import FrenchCommand
from install.front import check_front, write_front
from install.passwords import new_password
from install.place import Place, with_place
from install.reach import Direct


@click.command(cls=FrenchCommand, help="Créer un dossier de données. Les réglages donnés par --set y sont écrits.")
@click.option("--admin", default="admin", metavar="COMPTE", help="compte du premier administrateur")
@click.option("--name", default="", metavar="NOM", help="son nom complet")
@click.option("--tls", "host", default="", metavar="NOM", help="préparer nginx en HTTPS sous ce nom de machine")
@click.option("--password-stdin", is_flag=True, help="mot de passe sur la première ligne de l'entrée standard")
@with_place
def init(place: Place, admin: str, name: str, host: str, password_stdin: bool) -> None:
    if host:
        check_front(host)
        place = Place(place.data, (*place.settings, "web.behind_proxy=true"))
    if _is_copy(place):
        create_copy(place)
        click.echo(_("Dossier %s créé pour une copie : ses comptes viendront du site principal.") % place.data)
        click.echo(_("Puis : yelen replica take-keys FICHIER --data %s et yelen serve --data %s") % ((place.data,) * 2))
        return
    create(place, admin, name or admin, new_password(admin, password_stdin))
    click.echo(_("Dossier %s créé, compte %s enregistré.") % (place.data, admin))
    if host:
        site = write_front(place.data, host, load(place.data).web.port)
        click.echo(_("HTTPS : sudo ln -s %s /etc/nginx/sites-enabled/yelen.conf && sudo systemctl reload nginx") % site)
    click.echo(_("Relire %s, puis : yelen serve --data %s") % (place.data / FILE_NAME, place.data))


def create(place: Place, admin: str, name: str, password: str) -> None:
    """Raises `Conflict` when the folder already holds a box, `BadConfig` for a wrong setting; then nothing is made."""
    path = _write_configuration(place)
    try:
        _first_administrator(Place(place.data), admin, name, password)
    except YelenError:
        path.unlink()
        raise


def create_copy(place: Place) -> None:
    """A folder for the second building: configuration and an empty `secrets/`. What it holds comes from the primary."""
    path = _write_configuration(place)
    try:
        load(place.data)
    except YelenError:
        path.unlink()
        raise


def _is_copy(place: Place) -> bool:
    return any(setting.replace('"', "").replace(" ", "") == "replica.role=replica" for setting in place.settings)


def _write_configuration(place: Place) -> Path:
    path = place.data / FILE_NAME
    if path.exists():
        raise Conflict(_("%s existe déjà : rien n'a été changé.") % path)
    _private_folder(place.data)
    _private_folder(place.data / "secrets")
    path.write_text(filled_template(place.settings), encoding="utf-8")
    path.chmod(0o600)
    return path


def _first_administrator(place: Place, admin: str, name: str, password: str) -> None:
    from install.house import open_house
    from install.verbs import verbs_of

    config = load(place.data)
    speak(config.site.language)
    with open_house(config) as house:
        direct = Direct(house.services, verbs_of(house))
        direct.ask(AddUser(User(admin, name, frozenset({Role.ADMINISTRATOR})), password))


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
