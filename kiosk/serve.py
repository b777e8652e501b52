"""The kiosk under waitress, on a port of its own, with a clean stop.

The limits are for a ward's morning: thirty posts that poll and ten viewers, a hundred half-sent requests that must not
stop the site. waitress speaks no TLS: beyond this machine a front server stands before it (`behind_proxy`).
"""

from __future__ import annotations

import contextlib
import logging
import mimetypes
import socket
import threading
from collections.abc import Callable
from typing import Any

from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher
from waitress.wasyncore import close_all, dispatcher

from core.services import Services
from kiosk.application import BODY_LIMIT, create_app

CONNECTIONS = 400
STALLED_S = 30
HEADER_LIMIT = 64 * 1024  # bytes
STOP_S = 5.0
log = logging.getLogger(__name__)


class Hands(ThreadedTaskDispatcher):
    """waitress's threads, each of which gives back what it read the index with when it ends."""

    def __init__(self, count: int, release: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._release = release
        self.set_thread_count(count)  # type: ignore[no-untyped-call]

    def handler_thread(self, thread_no: int) -> None:
        super().handler_thread(thread_no)  # type: ignore[no-untyped-call]
        self._release()


class KioskServer:
    """Listens from the moment it is made: `port` is the bound one, also when 0 was asked for.

    Raises `OSError` when the port is taken.
    """

    def __init__(
        self,
        services: Services,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        threads: int = 16,
        behind_proxy: bool = False,
    ) -> None:
        mimetypes.add_type("application/wasm", ".wasm")
        self._map: dict[int, Any] = {}
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._server = create_server(
            create_app(services),
            map=self._map,
            sockets=[listener],
            _dispatcher=Hands(threads, services.release_thread),
            connection_limit=CONNECTIONS,
            channel_timeout=STALLED_S,
            max_request_body_size=16 * BODY_LIMIT,
            max_request_header_size=HEADER_LIMIT,
            ident=None,
            expose_tracebacks=False,
            **(_proxy() if behind_proxy else {}),
        )
        self.host, self.port = host, int(listener.getsockname()[1])
        self._thread = threading.Thread(target=self._server.run, name="kiosk", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> KioskServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        """No new visitor; the pages being made are finished and sent; then every connection is closed."""
        if not self._thread.is_alive():
            self._server.close()
            return
        self._server.trigger.pull_trigger(lambda: dispatcher.close(self._server))
        self._server.task_dispatcher.shutdown(timeout=STOP_S)
        with contextlib.suppress(OSError):  # a worker's own pull may already have run the drain
            self._server.trigger.pull_trigger(self._drain)
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.warning("some readers were too slow to be served before the stop")
            close_all(self._map, ignore_all=True)

    def _drain(self) -> None:
        """In the loop's own thread: each connection closes once its answer has left; the loop ends with the last."""
        for channel in self._server.active_channels.values():
            channel.close_when_flushed = True
        self._server.trigger.close()


def _proxy() -> dict[str, Any]:
    """One front server on this machine is believed about who asks and how."""
    return {
        "trusted_proxy": "127.0.0.1",
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }
