"""A HIS that at times keeps what it hears and does not answer."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.days.his import His


class SilentHis(His):
    """silent: nothing is acknowledged; what came is in `results` all the same."""

    silent = False

    async def _serve(self, reader: Any, writer: Any) -> None:
        try:
            while True:
                message = await reader.readmessage()
                self.results.put(message)
                if not self.silent:
                    writer.writemessage(message.create_ack())
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
