"""What the C library may keep of the memory that was given back to it.

glibc gives threads pools of their own, eight a core, and returns little of what each has once held: a box whose
associations, terminals and browsers come and go held a quarter more of memory for it. Two pools are enough where one
thread runs at a time.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8  # malloc.h
_POOLS: Final = 2


def keep_few_pools() -> None:
    """To be called before the first thread. Does nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _POOLS)
