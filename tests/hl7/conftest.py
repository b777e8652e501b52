"""The ward's HL7 port, opened for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from core.hl7.sender import Sender
from tests.hl7.ward import Caller, Ward


@pytest.fixture
def open_ward() -> Iterator[Callable[..., Ward]]:
    wards: list[Ward] = []

    def opened(*senders: Sender, unknown: str = "reject") -> Ward:
        wards.append(Ward(*senders, unknown=unknown))
        return wards[-1]

    yield opened
    for ward in wards:
        ward.server.stop()


@pytest.fixture
def ward(open_ward: Callable[..., Ward]) -> Ward:
    return open_ward()


@pytest.fixture
def his(ward: Ward) -> Iterator[Caller]:
    caller = ward.call()
    yield caller
    caller.hang_up()
