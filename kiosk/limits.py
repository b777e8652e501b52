"""How often a login may be tried, per address and per account: guessing stays slow, the ward is not locked out."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock

from core.clock import Clock

PER_ADDRESS = 30
PER_ACCOUNT = 10
SECONDS = 60.0
REMEMBERED = 5000


class LoginLimits:
    """A sliding minute for each address and each account name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str, account: str) -> int:
        """0 when this try is allowed (and counted), else the seconds to wait before the next."""
        kinds = ((("address", address), PER_ADDRESS), (("account", account.casefold()), PER_ACCOUNT))
        now = self._clock.monotonic()
        with self._lock:
            tries = [(self._recent(key, now), most) for key, most in kinds]
            waits = [SECONDS - (now - seen[0]) for seen, most in tries if len(seen) >= most]
            if waits:
                return max(1, round(max(waits)))
            for seen, _most in tries:
                seen.append(now)
            return 0

    def forget(self, account: str) -> None:
        """A good password clears the account's tries."""
        with self._lock:
            self._tries.pop(("account", account.casefold()), None)

    def _recent(self, key: tuple[str, str], now: float) -> deque[float]:
        seen = self._tries.setdefault(key, deque())
        self._tries.move_to_end(key)
        while seen and now - seen[0] >= SECONDS:
            seen.popleft()
        while len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)
        return seen
