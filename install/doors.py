"""Opening every door, or none: a port that is taken is said with its line in the configuration, all at once."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass

from core.config import Config
from core.errors import BadConfig
from core.i18n import _
from core.trouble import reason_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """A door that listens or works. name: as in `prêt`; address: `host:port` or a path, "" when it has none."""

    name: str
    stop: Callable[[], None]
    address: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A door to be opened. key: the setting to blame when the address cannot be had."""

    name: str
    open: Callable[[], OpenDoor]
    key: str = ""


def open_all(plans: list[Plan], config: Config) -> list[OpenDoor]:
    """Every door open, in order. Raises `BadConfig` naming every address that cannot be had; then none is open."""
    opened: list[OpenDoor] = []
    faults: list[str] = []
    try:
        for plan in plans:
            try:
                opened.append(plan.open())
            except OSError as error:
                if not plan.key:
                    raise
                faults.append(f"{config.where(plan.key)} : {plan.key} : {_sentence(error, plan, config)}")
        if faults:
            raise BadConfig(faults)
    except BaseException:
        close_all(opened)
        raise
    return opened


def close_all(doors: list[OpenDoor]) -> None:
    """Stop every door, the last opened first; one that fails to stop does not keep the others open."""
    for door in reversed(doors):
        try:
            door.stop()
        except Exception:
            log.exception("door %s", door.name)


def _sentence(error: OSError, plan: Plan, config: Config) -> str:
    name, _dot, key = plan.key.partition(".")
    section = getattr(config, name)
    host, port = str(section.host), int(getattr(section, key))
    if error.errno == errno.EADDRINUSE:
        return _("le port %d de %s est déjà pris par un autre programme") % (port, host)
    if error.errno == errno.EADDRNOTAVAIL:
        return _("%s n'est pas une adresse de cette machine") % host
    if error.errno == errno.EACCES:
        return _("le port %d demande un droit que ce compte n'a pas") % port
    return _("ne s'ouvre pas : %s") % reason_of(error)
