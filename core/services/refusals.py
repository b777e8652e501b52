"""Every refusal of a person is one row of the audit, wherever in a verb it is raised: this is the one place.

`note_refusals` is put on the service classes when they are brought together, so that no verb can forget it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from core.errors import IllegalTransition, NotAllowed, NotFound
from core.model.people import Actor


def note_refusals(*services: type[Any]) -> None:
    """From now on the public verbs of these classes tell the audit when they refuse; the actor comes first."""
    for service in services:
        for name, verb in inspect.getmembers(service, inspect.isfunction):
            if not name.startswith("_"):
                setattr(service, name, _noting(verb))


def _noting(verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    def noting(service: Any, *args: Any, **named: Any) -> Any:
        try:
            return verb(service, *args, **named)
        except (NotAllowed, IllegalTransition, NotFound) as refusal:
            actor = args[0] if args else named.get("actor")
            if isinstance(actor, Actor):
                service._kit.note_refusal(actor, verb.__name__, refusal)
            raise

    return noting
