"""From the file and the command line to frozen values, or every fault at once."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from core.config import source
from core.config.checks import faults_of
from core.config.secret_files import secret_faults
from core.config.sections import (
    Archive,
    Dicom,
    Hl7,
    Imaging,
    Printing,
    Replica,
    Reports,
    Rpc,
    Scheduling,
    Site,
    Storage,
    Web,
)
from core.errors import BadConfig
from core.i18n import _

FILE_NAME = "yelen.toml"
_TEMPLATE = Path(__file__).with_name("template.toml")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a site may decide. data: the folder of the box, absolute. places: where each key was written."""

    data: Path
    site: Site
    dicom: Dicom
    hl7: Hl7
    web: Web
    rpc: Rpc
    storage: Storage
    archive: Archive
    imaging: Imaging
    replica: Replica
    printing: Printing
    reports: Reports
    scheduling: Scheduling
    places: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def socket(self) -> Path:
        """The terminals' socket."""
        return Path(self.rpc.path) if self.rpc.path else self.data / "yelen.sock"

    def where(self, key: str) -> str:
        """`yelen.toml:34`, `--set dicom.port`, or the file alone for a key left at its default."""
        return self.places.get(key, FILE_NAME)


SECTIONS: dict[str, type[Any]] = {
    "site": Site,
    "dicom": Dicom,
    "hl7": Hl7,
    "web": Web,
    "rpc": Rpc,
    "storage": Storage,
    "archive": Archive,
    "imaging": Imaging,
    "replica": Replica,
    "printing": Printing,
    "reports": Reports,
    "scheduling": Scheduling,
}


def template() -> str:
    """The file that `yelen init` writes: every key, its meaning, its unit, its default."""
    return _TEMPLATE.read_text(encoding="utf-8")


def filled_template(settings: Iterable[str]) -> str:
    """The template with `section.key=value` settings written in. Raises `BadConfig` for what the template has not."""
    written = source.Written(FILE_NAME)
    faults = source.override(written, settings) + _unknown(written)
    if faults:
        raise BadConfig(faults)
    lines, section = template().splitlines(), ""
    for number, line in enumerate(lines):
        section = line.strip("[]") if line.startswith("[") else section
        key = f"{section}.{line.partition(' = ')[0]}"
        if key in written.values and not line.startswith("#"):
            lines[number] = f"{line.partition(' = ')[0]} = {_toml(key, written.values[key])}"
    return "\n".join(lines) + "\n"


def _toml(key: str, value: object) -> str:
    """The value as TOML: bare when the key is a number or a truth value, else between quotes."""
    section, _dot, name = key.partition(".")
    kind = typing.get_type_hints(SECTIONS[section])[name]
    if kind in (int, bool) and isinstance(value, source.Spoken):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)  # a JSON string is a TOML string


def load(data: Path, settings: Iterable[str] = ()) -> Config:
    """The configuration of the box whose folder is `data`. Raises `BadConfig` with every fault, in the file's order."""
    data = data.absolute()
    written = source.read(data / FILE_NAME)
    faults = source.override(written, settings)
    faults += _unknown(written)
    wrong: dict[str, str] = {}
    sections = {name: _section(name, kind, written, wrong) for name, kind in SECTIONS.items()}
    faults += wrong.values()
    config = Config(data=data, places=types.MappingProxyType(dict(written.places)), **typing.cast(Any, sections))
    faults += [f"{config.where(key)} : {key} : {said}" for key, said in faults_of(config) if key not in wrong]
    faults += secret_faults(data / "secrets")
    if faults:
        raise BadConfig(_sorted(faults))
    return config


def keys() -> list[str]:
    """Every key, as `section.key`."""
    return [f"{name}.{f.name}" for name, kind in SECTIONS.items() for f in fields(kind)]


def _unknown(written: source.Written) -> list[str]:
    known = {*keys(), *(f"{name}." for name in SECTIONS)}
    return [
        f"{written.where(key)} : {key.rstrip('.')} : {_('réglage inconnu')}"
        for key in written.values
        if key not in known
    ]


def _section(name: str, kind: type[Any], written: source.Written, wrong: dict[str, str]) -> Any:
    """The section's value. A key that cannot be taken goes to `wrong`; its default stands in, to look at the others."""
    hints = typing.get_type_hints(kind)
    values: dict[str, object] = {}
    for f in fields(kind):
        key = f"{name}.{f.name}"
        required = f.default is MISSING and f.default_factory is MISSING
        try:
            if key in written.values:
                values[f.name] = _typed(hints[f.name], written.values[key])
            elif required:
                wrong[key] = f"{written.where(name + '.')} : {key} : {_('réglage obligatoire absent')}"
        except ValueError as error:
            wrong[key] = f"{written.where(key)} : {key} : {error}"
        if required:
            values.setdefault(f.name, "")
    return kind(**values)


def _typed(kind: Any, value: object) -> object:
    """The value as its key's type. Raises ValueError with the French sentence."""
    if kind is ZoneInfo:
        return _zone(value)
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value in choices:
            return str(value)
        raise ValueError(_("%s n'est pas un des choix possibles : %s") % (_shown(value), ", ".join(choices)))
    if kind is bool:
        return _boolean(value)
    if kind is int:
        return _integer(value)
    if isinstance(value, str):
        return str(value)
    raise ValueError(_("%s n'est pas un texte entre guillemets") % _shown(value))


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise ValueError(_("%s n'est pas un fuseau horaire connu") % _shown(value)) from None


def _boolean(value: object) -> bool:
    if isinstance(value, source.Spoken) and value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise ValueError(_("%s n'est ni true ni false") % _shown(value))


def _integer(value: object) -> int:
    if isinstance(value, source.Spoken) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
        return int(value[:20])
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(_("%s n'est pas un nombre entier") % _shown(value))


def _shown(value: object) -> str:
    return f"« {str(value)[:60]} »"


def _sorted(faults: list[str]) -> list[str]:
    """In the order of the file's lines, so that a person can go down it once."""

    def line(fault: str) -> int:
        place = fault.split(" : ")[0].rpartition(":")[2]
        return int(place) if place.isdigit() else 1_000_000

    return sorted(faults, key=line)
