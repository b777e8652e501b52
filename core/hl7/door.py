"""The HL7 door of the box: the port that listens and the threads that send, bound to the department's verbs."""

from __future__ import annotations

from core.hl7.receive import Receiver
from core.hl7.reports import result_of_letter
from core.hl7.results import Origin, oru
from core.hl7.send import OutboxSender
from core.hl7.sender import Sender, of_row
from core.hl7.server import MllpServer
from core.index.writer import Change
from core.model.device import Destination
from core.model.outbox import Letter
from core.services import Services


def open_door(services: Services) -> MllpServer:
    """The port, bound and serving; `port` says which. Raises `OSError` when the address cannot be had."""
    config = services.config

    def senders() -> list[Sender]:
        return [of_row(row, config.hl7.processing_id, config.site.authority) for row in services.his.senders()]

    receiver = Receiver(
        services.his, senders, services.clock, config.site.timezone, config.hl7.unknown_senders, config.site.authority
    )
    server = MllpServer(receiver, services.clock, config.hl7.host, config.hl7.port, release=services.release_thread)
    server.start()
    return server


def open_sender(services: Services) -> OutboxSender:
    """The outbox, being drained from now on; every commit that concerns it rings its bell."""
    config = services.config
    origin = Origin(config.hl7.application, config.hl7.facility, config.hl7.processing_id)

    def write(letter: Letter, destination: Destination) -> bytes:
        result = result_of_letter(letter, services.outbox.facts)
        return oru(result, destination, origin, services.clock.now(), config.site.timezone)

    sender = OutboxSender(services.outbox, write, services.clock, services.release_thread)
    services.events.subscribe(lambda changes: _ring(sender, changes))
    sender.start()
    return sender


def _ring(sender: OutboxSender, changes: list[Change]) -> None:
    if any(change.topic in ("outbox", "devices") for change in changes):
        sender.wake()
