"""C-STORE sub-operations, one after the other, on whatever association they go: one failure never stops the others.

While a peer swallows an object the next one is laid out. Source: PS3.4 C.4.2.2 and C.4.3.2 (C-MOVE and C-GET SCP).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from core.archive.outgoing import Body
from core.dicom.conformance import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from core.dicom.negotiation import Context
from core.dicom.wire import FileShort
from core.errors import YelenError
from core.model.outgoing import Outgoing, Tally

_log = logging.getLogger(__name__)

# Coerced, elements discarded, data set does not match: stored all the same (PS3.4 table B.2-1).
_WARNINGS: Final = frozenset({0xB000, 0xB006, 0xB007})


class Stop(Exception):
    """The sub-operations must end now."""


class Cancelled(Stop):
    """A C-CANCEL has come."""


class RequestorGone(Stop):
    """Whoever asked has left."""


class Channel(Protocol):
    """Where objects are sent: one request at a time."""

    def contexts(self, sop_class: str) -> Sequence[Context]:
        """The accepted contexts over which objects of this class may go."""

    def load(self, context: Context, outgoing: Outgoing, body: Body) -> None:
        """Lay out the next request; the body is the channel's from now on. Raises `FileShort`."""

    def send(self) -> None:
        """Send what was loaded."""

    def finish(self) -> int:
        """The status of the answer."""


class Bodies(Protocol):
    """`core.services.retrieval.Dresser`."""

    def body(self, outgoing: Outgoing, transfer_syntax: str) -> Body: ...


def choose(outgoing: Outgoing, contexts: Sequence[Context]) -> Context | None:
    """The context in which an object goes: as it is stored if it can, else uncompressed. Never another compression."""
    by_syntax = {context.transfer_syntax: context for context in reversed(contexts)}
    for syntax in (outgoing.transfer_syntax, EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE):
        if syntax in by_syntax and syntax != DEFLATED_LE:
            return by_syntax[syntax]
    return None


def carry_out(
    objects: Sequence[Outgoing], channel: Channel, bodies: Bodies, tally: Tally, watch: Callable[[], None]
) -> None:
    """Send every object; the tally says what became of each. watch: called before each one, may raise `Stop`."""
    loaded = _loaded(objects[0], channel, bodies) if objects else False
    for place, outgoing in enumerate(objects):
        watch()
        sent = loaded
        if sent:
            channel.send()
        loaded = place + 1 < len(objects) and _loaded(objects[place + 1], channel, bodies)
        _count(tally, outgoing, channel.finish() if sent else None)


def _count(tally: Tally, outgoing: Outgoing, status: int | None) -> None:
    tally.remaining -= 1
    if status == 0:
        tally.completed += 1
    elif status in _WARNINGS:
        tally.warnings += 1
    else:
        tally.failed.append(outgoing.sop_instance_uid)


def _loaded(outgoing: Outgoing, channel: Channel, bodies: Bodies) -> bool:
    """Whether this object is laid out to be sent; why not is said in the log."""
    context = choose(outgoing, channel.contexts(outgoing.sop_class_uid))
    if context is None:
        _log.warning("%s: no context accepted for class %s", outgoing.sop_instance_uid, outgoing.sop_class_uid)
        return False
    try:
        channel.load(context, outgoing, bodies.body(outgoing, context.transfer_syntax))
        return True
    except (YelenError, OSError, FileShort) as error:
        _log.warning("%s is not sent: %s (%s)", outgoing.sop_instance_uid, error, getattr(error, "reason", ""))
    except Exception:
        _log.exception("%s is not sent", outgoing.sop_instance_uid)
    return False
