"""Which box a command is about: the data folder and what the command line puts over its configuration."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from core.config import Config, load
from core.i18n import speak

DEFAULT = "yelen-data"


@dataclass(frozen=True, slots=True)
class Place:
    """A data folder and `section.key=value` settings. is_named: the folder was said, by option or by `$YELEN_DATA`."""

    data: Path
    settings: tuple[str, ...] = ()
    is_named: bool = True

    def config(self) -> Config:
        """Raises `BadConfig`. From here on the process speaks the site's language."""
        config = load(self.data, self.settings)
        speak(config.site.language)
        return config


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data` and `--set`, given to the command as its first argument, a `Place`."""

    @click.option(
        "--data",
        metavar="DOSSIER",
        type=click.Path(path_type=Path),
        default=None,
        help="dossier des données (sinon $YELEN_DATA, sinon ./yelen-data)",
    )
    @click.option(
        "--set", "settings", metavar="SECTION.CLÉ=VALEUR", multiple=True, help="réglage, au-dessus de yelen.toml"
    )
    @functools.wraps(command)
    def placed(*args: Any, data: Path | None, settings: tuple[str, ...], **options: Any) -> Any:
        named = data or os.environ.get("YELEN_DATA")
        return command(Place(Path(named or DEFAULT).absolute(), settings, bool(named)), *args, **options)

    return placed
