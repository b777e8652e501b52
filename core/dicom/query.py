"""Query/Retrieve C-FIND, patient and study root: read the keys, ask the archive, spell the answers.

Source: PS3.4 annex C (matching: C.2.2.2; behaviour: C.4.1; statuses: C.4.1.1.4).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Protocol

from core.dicom import answers, conformance, dataset
from core.dicom.answers import Answer, Column
from core.dicom.charset import Encoder
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.find_attributes import AVAILABILITY, LEVEL, RETRIEVE_AE, TAGS, columns
from core.dicom.find_keys import Negotiated, Question, read_question
from core.dicom.handlers import Request
from core.dicom.status import PENDING, PENDING_UNSUPPORTED_KEYS, SUCCESS, cut_short
from core.model.finding import Found, Level, Search

_log = logging.getLogger(__name__)
OPEN_LIMIT: Final = 500  # answers to a question without a selective key, unless the machine's row says otherwise
SELECTIVE_LIMIT: Final = 5000  # to one with a selective key
PATIENT_ID: Final = TAGS["patient_id"][0]
ROOTS: Final = {conformance.PATIENT_ROOT_FIND: Level.PATIENT, conformance.STUDY_ROOT_FIND: Level.STUDY}


class Studies(Protocol):
    """The verb of `core.services.studies` that queries need."""

    def search(self, wanted: Search) -> Iterator[Found]: ...


class Seen(Protocol):
    """A machine asked something."""

    def seen(self, ae_title: str, what: str) -> None: ...


class QueryDoor:
    """The handler of both query models. title: our own AE, where studies can be had."""

    def __init__(self, studies: Studies, devices: Seen, title: str) -> None:
        self._studies = studies
        self._devices = devices
        self._title = title

    def find(self, request: Request) -> Iterator[Reply]:
        """Answers as they are read, then the final status, which says when they were cut at this machine's limit."""
        keys = dataset.decode(request.data_set, request.context.transfer_syntax)
        question = _question(keys, request)
        self._devices.seen(request.caller.ae_title, "query")
        spell = _Speller(question.search.level, self._title, keys, request)
        pending = PENDING if question.supported else PENDING_UNSUPPORTED_KEYS
        limit = question.search.limit
        for given, found in enumerate(self._studies.search(replace(question.search, limit=limit + 1))):
            if given == limit:
                yield cut_short(request.caller.device, limit)
                return
            yield Reply(pending, spell(found))
        yield Reply(SUCCESS)


def _question(keys: Item, request: Request) -> Question:
    device = request.caller.device
    return read_question(
        keys,
        ROOTS[request.context.abstract_syntax],
        Negotiated.of(request.extended),
        overlay=device is not None and device.role == "workstation",
        limit=device.find_limit if device else OPEN_LIMIT,
        more=SELECTIVE_LIMIT,
    )


def always(level: Level, title: str) -> tuple[Answer[Found], ...]:
    """What every answer holds beside its unique keys.

    An image whose file is known to be damaged is unavailable; its study is not: the other images can be had.
    """
    return (
        Column(LEVEL, "CS", lambda _found: level.name, always=True),
        Column(RETRIEVE_AE, "AE", lambda _found: title, always=True),
        Column(AVAILABILITY, "CS", lambda found: found.get("instance_availability", "ONLINE"), always=True),
    )


class _Speller:
    """Answers to one query, in the charset that the machine can read; declared when a value is not ASCII."""

    def __init__(self, level: Level, title: str, keys: Item, request: Request) -> None:
        device = request.caller.device
        encoder = Encoder(device.charset if device else "ISO_IR 192")
        syntax = request.context.transfer_syntax
        wanted = {*keys.tags, PATIENT_ID} if ROOTS[request.context.abstract_syntax] is Level.PATIENT else keys.tags
        chosen = answers.chosen((*columns(level), *always(level, title)), wanted)
        self._write = answers.prepare(chosen, encoder, syntax)
        self._declared = encoder.declared
        self._charset = dataset.element(dataset.SPECIFIC_CHARACTER_SET, "CS", self._declared.encode(), syntax)

    def __call__(self, found: Found) -> bytes:
        body = self._write(found)
        # Lengths of elements may look like letters outside ASCII: then the charset is declared for nothing.
        return body if not self._declared or body.isascii() else self._charset + body
