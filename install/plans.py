"""Every door of the box, in the order they open; they close in reverse: what receives closes before what sends."""

from __future__ import annotations

from install.doors import Plan
from install.house import House
from install.wiring import compressing, dicom, fetch, hl7, printing, replica, rpc, timers, web


def plans(house: House) -> list[Plan]:
    reports = dicom.reports(house)
    machines = [dicom.reports_plan(reports), dicom.plan(house, reports)]
    if house.config.dicom.tls:
        machines.append(dicom.secured_plan(house, reports))
    return [
        hl7.plan_out(house),
        printing.plan(house),
        dicom.router_plan(house),
        dicom.pledges_plan(house),
        timers.plan(house),
        compressing.plan(house),
        replica.plan(house),
        rpc.plan(house),
        web.plan(house),
        hl7.plan_in(house),
        *machines,
        fetch.plan(house),
    ]
