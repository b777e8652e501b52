"""The kiosk under waitress, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from typing import Any

from install.doors import OpenDoor, Plan
from install.house import House

GRACE_S = 5.0


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        from waitress.server import create_server

        from kiosk import create_app

        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queued request is no event
        web = house.config.web
        server: Any = create_server(
            create_app(house.services),
            host=web.host,
            port=web.port,
            threads=web.threads,
            ident="",
            **_proxy(web.behind_proxy),
        )
        thread = threading.Thread(target=server.run, name="kiosk", daemon=True)
        thread.start()

        def stop() -> None:
            server.task_dispatcher.shutdown(cancel_pending=True, timeout=GRACE_S)
            server.trigger.pull_trigger(lambda: _close_all(server))
            thread.join(GRACE_S)

        return OpenDoor("http", stop, f"{web.host}:{server.effective_port}")

    return Plan("http", open_it, "web.port")


def _proxy(behind: bool) -> dict[str, Any]:
    """A declared front server says who the browser is; without one such headers are thrown away."""
    if not behind:
        return {"clear_untrusted_proxy_headers": True}
    return {
        "trusted_proxy": "*",
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
        "clear_untrusted_proxy_headers": True,
    }


def _close_all(server: Any) -> None:
    """Runs in the server's own thread: with nothing left to watch, its loop ends."""
    for dispatcher in list(server._map.values()):
        dispatcher.close()
