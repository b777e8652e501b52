"""What the copy says of itself in `replica/state.json`: how far it is, whose copy it is, what stops it.

Rewritten atomically after every segment and as a heartbeat; the primary believes nothing else.
"""

from __future__ import annotations

import msgspec

from core.errors import BadMessage
from core.i18n import _

STATE = "replica/state.json"


class State(msgspec.Struct, frozen=True):
    """epoch: in which the copy lives. site: the primary it follows, "" before its first segment.

    applied: by lane, the last row that is durable there. refused: by lane, how many segments it has set aside so far.
    trouble: by lane, what stops it, a French sentence. at: when it said all this, by its own clock. keys: whether it
    holds the primary's keys, so that the audit can be verified there. audit: number and mac of its newest audit row;
    the mac covers everything before it, so that a primary without that row is not the one that wrote it.
    """

    epoch: int
    applied: dict[str, int]
    refused: dict[str, int] = {}
    trouble: dict[str, str] = {}
    at: str = ""
    site: str = ""
    keys: bool = False
    audit: tuple[int, str] = (0, "")


def read_state(content: bytes) -> State:
    """Raises `BadMessage` when this is no state."""
    try:
        return msgspec.json.decode(content, type=State)
    except msgspec.MsgspecError as fault:
        raise BadMessage(_("Second bâtiment : état illisible (%s).") % STATE, "bad-state") from fault


def write_state(state: State) -> bytes:
    return msgspec.json.encode(state)
