"""The print queue on its way to paper."""

from __future__ import annotations

from install.doors import OpenDoor, Plan
from install.house import House
from printers.drivers import driver_for
from printers.queue import PrintRunner


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        services, data = house.services, house.config.data
        runner = PrintRunner(
            services.printing.printers,
            lambda printer: driver_for(printer, data, house.clock),
            services.printing,
            house.clock,
            services.release_thread,
        )
        runner.start()
        services.printing.on_work(runner.wake)
        return OpenDoor("printing", runner.stop)

    return Plan("printing", open_it)
