"""The demo HIS's HL7 messages, written out by hand as an old HIS would write them. HL7 v2.5, UTF-8."""

from __future__ import annotations

from datetime import datetime, timedelta

from install.demo.children import Child, Visit

AUTHORITY = "CHUP"


def admission(child: Child, control_id: str, now: datetime) -> bytes:
    """ADT^A04: the child is in the hospital."""
    return _message(
        _msh("ADT^A04^ADT_A01", control_id, now),
        f"EVN|A04|{now:%Y%m%d%H%M%S}",
        _pid(child),
        _pv1(child),
    )


def order(visit: Visit, number: int, control_id: str, now: datetime) -> bytes:
    """ORM^O01 NW: an exam is asked for, at an hour."""
    at = now + timedelta(minutes=visit.minute)
    placer = f"SIH{now:%y%m%d}{number:04d}"
    doctor = f"{visit.prescriber.partition('^')[0]}^{visit.prescriber.partition('^')[2]}"
    return _message(
        _msh("ORM^O01^ORM_O01", control_id, now),
        _pid(visit.child),
        _pv1(visit.child),
        f"ORC|NW|{placer}^SIH|||||^^^{at:%Y%m%d%H%M}^^{visit.urgency}||{now:%Y%m%d%H%M%S}|||^{doctor}|{visit.child.ward}",
        f"OBR|1|{placer}^SIH||{visit.exam}^{visit.label}^LOCAL|||||||||{visit.indication}|||^{doctor}||||{visit.station}"
        f"||||{visit.modality}|||^^^{at:%Y%m%d%H%M}^^{visit.urgency}||||^{visit.indication}",
    )


def acknowledgement(control_id: str, now: datetime) -> bytes:
    """ACK AA of the demo HIS for a result it was sent."""
    return _message(_msh("ACK^R01^ACK", f"A{control_id}", now), f"MSA|AA|{control_id}")


def _msh(kind: str, control_id: str, now: datetime) -> str:
    return f"MSH|^~\\&|SIH|CHUP|YELEN|IMAGERIE|{now:%Y%m%d%H%M%S}||{kind}|{control_id}|P|2.5||||||UNICODE UTF-8"


def _pid(child: Child) -> str:
    mother = f"{child.mother_number}^^^{AUTHORITY}^PI" if child.mother_number else ""
    multiple = "Y" if child.birth_order else ""
    return (
        f"PID|1||{child.number}^^^{AUTHORITY}^PI||{child.family}^{child.given}|{child.mother}|{child.born}|{child.sex}"
        f"|||Ouagadougou||{child.phone}||||||||{mother}|||{multiple}|{child.birth_order}"
    )


def _pv1(child: Child) -> str:
    return f"PV1|1|I|{child.ward}^1^2||||||||||||||||V{child.number[-5:]}"


def _message(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()
