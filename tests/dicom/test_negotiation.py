"""What we answer to an A-ASSOCIATE-RQ, decided without a socket."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC

from core.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from core.dicom import associate, conformance
from core.dicom.associate import AssociateRequest, BadAssociate
from core.dicom.negotiation import Agreement, Caller, Refusal, Title, negotiate
from core.dicom.secure import Line
from core.errors import BadMessage
from core.model.identifiers import is_uid
from tests.dicom.conftest import Registry, offer
from tests.dicom.modality import Contexts, associate_request, item

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"
ELE, ILE, EBE = conformance.EXPLICIT_LE, conformance.IMPLICIT_LE, conformance.EXPLICIT_BE


def read(**request: object) -> AssociateRequest:
    return associate.decode(associate_request(**request)[6:])  # type: ignore[arg-type]


def answer(address: str = "127.0.0.1", **request: object) -> Agreement | Refusal:
    return negotiate(read(**request), address, "YELEN", Registry(), offer, 131_072)


def results(contexts: Contexts) -> list[tuple[int, int, str]]:
    agreement = answer(contexts=contexts)
    assert isinstance(agreement, Agreement)
    return [(given.context_id, given.result, given.transfer_syntax) for given in agreement.acceptance.contexts]


def test_a_known_machine_is_accepted_and_its_header_echoed() -> None:
    agreement = answer(calling=b"CT1")
    assert isinstance(agreement, Agreement)
    body = associate.encode(agreement.acceptance)
    assert body[6:74] == associate_request(calling=b"CT1")[6:74]
    assert agreement.caller == Caller("CT1", "127.0.0.1")
    assert (agreement.max_pdu, agreement.peer_max_pdu) == (131_072, 16_384)


def test_pynetdicom_reads_our_acceptance() -> None:
    role = struct.pack(">H", len(CT)) + CT.encode() + b"\1\0"
    extended = struct.pack(">H", len(conformance.STUDY_ROOT_FIND)) + conformance.STUDY_ROOT_FIND.encode() + b"\1\1\1\1"
    agreement = answer(
        contexts=[(1, CT, [ELE]), (3, conformance.STUDY_ROOT_FIND, [ILE]), (5, "1.2.840.10008.9.9", [ILE])],
        user=item(0x54, role) + item(0x56, extended) + item(0x53, b"\0\5\0\5"),
    )
    assert isinstance(agreement, Agreement)
    pdu = A_ASSOCIATE_AC()
    pdu.decode(associate.encode(agreement.acceptance))
    assert [(context.context_id, context.result) for context in pdu.presentation_context] == [(1, 0), (3, 0), (5, 3)]
    assert pdu.user_information.maximum_length == 131_072
    assert pdu.user_information.async_ops_window.maximum_number_operations_invoked == 1
    assert pdu.user_information.role_selection[CT].scu_role == 1
    assert pdu.user_information.ext_neg[0].app_info == b"\1\1\1\0"
    assert pdu.user_information.implementation_class_uid == IMPLEMENTATION_CLASS_UID


@pytest.mark.parametrize(
    ("request_with", "refusal"),
    [
        ({"version": 2}, Refusal.PROTOCOL_VERSION),
        ({"application": "1.2.3"}, Refusal.APPLICATION_CONTEXT),
        ({"called": b"ORTHANC"}, Refusal.CALLED_AE),
        ({"calling": b"EVIL"}, Refusal.CALLING_AE),
        ({"calling": b"CT1", "address": "127.0.0.66"}, Refusal.CALLING_AE),
        ({"calling": b"CT\x011"}, Refusal.CALLING_AE),
        ({"calling": b"../../CT1"}, Refusal.CALLING_AE),
        ({"calling": b"CT\\1"}, Refusal.CALLING_AE),
        ({"calling": b" " * 16}, Refusal.CALLING_AE),
        ({"calling": "ÉCHO".encode()}, Refusal.CALLING_AE),
        ({"called": b" " * 16}, Refusal.CALLED_AE),
    ],
)
def test_a_refusal_carries_the_code_of_the_standard(request_with: dict[str, object], refusal: Refusal) -> None:
    assert answer(**request_with) is refusal  # type: ignore[arg-type]


def test_rejection_codes_are_those_of_ps3_8_section_9_3_4() -> None:
    codes = {refusal.name: refusal.value for refusal in Refusal}
    assert codes == {
        "PROTOCOL_VERSION": (1, 2, 2),
        "APPLICATION_CONTEXT": (1, 1, 2),
        "CALLED_AE": (1, 1, 7),
        "CALLING_AE": (1, 1, 3),
        "LOCAL_LIMIT": (2, 3, 2),
    }


@pytest.mark.parametrize("title", [b"yelen", b" YELEN", b"Yelen\0\0"])
def test_case_and_spaces_of_the_called_title_do_not_matter(title: bytes) -> None:
    assert isinstance(answer(called=title), Agreement)


def test_a_title_is_printable_ascii_or_nothing() -> None:
    assert Title.of(b"CT 1".ljust(16)) == Title("CT 1")
    assert Title.of(b"CT\x7f".ljust(16)) is None


def test_uncompressed_is_preferred_and_lossy_taken_only_when_alone() -> None:
    contexts: Contexts = [(1, CT, [JPEG_BASELINE, ILE]), (3, CT, [JPEG_BASELINE]), (5, CT, [EBE, ILE, ELE])]
    assert results(contexts) == [(1, 0, ILE), (3, 0, JPEG_BASELINE), (5, 0, ELE)]


def test_deflated_is_never_accepted() -> None:
    assert results([(1, CT, [DEFLATED]), (3, CT, [DEFLATED, ELE])]) == [(1, 4, DEFLATED), (3, 0, ELE)]


def test_an_unknown_storage_class_and_a_private_one_are_accepted() -> None:
    unknown = "1.2.840.10008.5.1.4.1.1.999.7"
    assert [result for _, result, _ in results([(1, unknown, [ELE]), (3, "1.3.12.2.1107.5.9.1", [ELE])])] == [0, 0]


def test_an_unknown_service_is_refused_by_its_context_only() -> None:
    assert results([(1, "1.2.840.10008.5.1.1.9", [ILE]), (3, CT, [ILE])]) == [(1, 3, ILE), (3, 0, ILE)]


def test_a_caller_with_its_own_order_gets_it() -> None:
    def own(_: str, caller: Caller) -> tuple[str, ...]:
        return caller.syntaxes

    class Only:
        def admit(self, ae_title: str, address: str, line: Line) -> Caller:
            return Caller(ae_title, address, max_pdu=65_536, syntaxes=(ILE, ELE))

    agreement = negotiate(read(contexts=[(1, CT, [ELE, ILE])]), "127.0.0.1", "YELEN", Only(), own, 131_072)
    assert isinstance(agreement, Agreement)
    assert agreement.contexts[1].transfer_syntax == ILE
    assert agreement.max_pdu == 65_536


def many(count: int) -> Contexts:
    return [((2 * place + 1) % 256, CT, [ELE]) for place in range(count)]


def test_128_contexts_are_answered() -> None:
    assert [result for _, result, _ in results(many(128))] == [0] * 128


@pytest.mark.parametrize(
    "contexts",
    [[*many(128), (255, CT, [ELE])], [(1, CT, [ELE]), (1, CT, [ILE])], [(2, CT, [ELE])], [(1, CT, [])]],
    ids=["129 contexts", "an id twice", "an even id", "no transfer syntax"],
)
def test_impossible_contexts_are_not_read(contexts: Contexts) -> None:
    with pytest.raises(BadAssociate):
        read(contexts=contexts)


def test_no_context_at_all_is_an_association_that_can_only_be_released() -> None:
    agreement = answer(contexts=[])
    assert isinstance(agreement, Agreement)
    assert agreement.contexts == {}


WHOLE = associate_request(
    contexts=[(1, CT, [ELE, ILE]), (3, conformance.VERIFICATION, [ILE])],
    user=item(0x55, b"VERSION") + item(0x58, b"\1\1\0\1u\0\0") + item(0x54, struct.pack(">H3sBB", 3, b"1.2", 1, 0)),
)[6:]


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_a_request_cut_short_is_bad_or_shorter(size: int) -> None:
    try:
        request = associate.decode(WHOLE[:size])
    except BadMessage:
        return
    assert request != associate.decode(WHOLE)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_request_is_understood_or_bad(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        damaged[at] = byte
    try:
        request = associate.decode(bytes(damaged))
    except BadMessage:
        return
    outcome = negotiate(request, "127.0.0.1", "YELEN", Registry(), offer, 131_072)
    if isinstance(outcome, Agreement):
        associate.encode(outcome.acceptance)


def test_the_longest_legal_request_is_read() -> None:
    contexts: Contexts = [(2 * n + 1, CT, [f"1.2.840.10008.1.2.4.{s}" for s in range(100, 145)]) for n in range(128)]
    request = associate_request(contexts=contexts)
    assert len(request) > 150_000
    assert len(associate.decode(request[6:]).contexts) == 128


def test_a_longer_version_name_is_cut_and_never_refused() -> None:
    assert read(user=item(0x55, b"A" * 40)).implementation_version == "A" * 16
    assert len(IMPLEMENTATION_VERSION) <= 16
    assert is_uid(IMPLEMENTATION_CLASS_UID)


def test_requests_are_values() -> None:
    assert replace(read(), max_pdu=1) != read()


def selected(uid: str, scu: int, scp: int) -> bytes:
    return item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes((scu, scp)))


@pytest.mark.parametrize("roles", [(1, 0), (0, 1), (1, 1)])
def test_storage_commitment_takes_both_roles(roles: tuple[int, int]) -> None:
    """PS3.4 J.3.3: the report comes from the SCP, who may have opened the association itself."""
    uid = conformance.STORAGE_COMMITMENT
    agreement = answer(contexts=[(1, uid, [ILE]), (3, CT, [ELE])], user=selected(uid, *roles) + selected(CT, 1, 0))
    assert isinstance(agreement, Agreement)
    pdu = A_ASSOCIATE_AC()
    pdu.decode(associate.encode(agreement.acceptance))
    role = pdu.user_information.role_selection[uid]
    assert (role.scu_role, role.scp_role) == roles


def test_a_role_that_was_not_asked_is_not_answered() -> None:
    agreement = answer(contexts=[(1, conformance.STORAGE_COMMITMENT, [ILE])])
    assert isinstance(agreement, Agreement)
    assert agreement.acceptance.roles == {}


def test_a_role_of_a_class_that_was_refused_is_not_answered() -> None:
    agreement = answer(contexts=[(1, "1.2.840.10008.9.9", [ILE])], user=selected("1.2.840.10008.9.9", 1, 1))
    assert isinstance(agreement, Agreement)
    assert agreement.acceptance.roles == {}


def identified(user: bytes, passcode: bytes = b"", answer: int = 0, kind: int = 2) -> bytes:
    fields = struct.pack(">H", len(user)) + user + struct.pack(">H", len(passcode)) + passcode
    return item(0x58, bytes((kind, answer)) + fields)


def test_a_user_identity_is_answered_when_asked_and_never_kept() -> None:
    agreement = answer(user=identified(b"ct1", b"sesame-42", answer=1))
    assert isinstance(agreement, Agreement)
    assert b"\x59\x00\x00\x02\x00\x00" in associate.encode(agreement.acceptance)
    assert "sesame" not in repr(agreement)
    silent = answer(user=identified(b"ct1", b"sesame-42"))
    assert isinstance(silent, Agreement)
    assert b"\x59\x00\x00\x02" not in associate.encode(silent.acceptance)


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\0\0\0", b"\5\0\0\1x\0\0", b"\3\0\0\1x\0\0"])
def test_an_identity_that_cannot_be_read_proves_nothing(value: bytes) -> None:
    agreement = answer(user=item(0x58, value))
    assert isinstance(agreement, Agreement)
    assert agreement.acceptance.request.identity == ""
