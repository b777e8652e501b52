"""What must become of each file of the corpus: a rule for all, and the few that have a reason of their own."""

from __future__ import annotations

from collections.abc import Iterable

from core.model.received import Reason
from tests.corpus.manifest import Entry, conflicts

ARCHIVED, IGNORED = "archived", "ignored"
OWN = {
    # No SOP class in the data set (bad inputs, row 107): no image, whatever the file meta says.
    "malformed/orthanc-tests__Issue111.dcm": Reason.NOT_AN_INSTANCE,
    "malformed/orthanc-tests__Issue195.dcm": Reason.NOT_AN_INSTANCE,
    "malformed/dwv__dwv-test_no-number-rows.dcm": Reason.NOT_AN_INSTANCE,
    # No preamble, no file meta, no Study UID: neither syntax gives a plausible walk (row 98).
    "malformed/pydicom__no_meta.dcm": Reason.NO_META,
    "transfer-syntax/pydicom-data__JLSL_RGB_ILV0.dcm": Reason.NO_META,
    # Its UIDs are hexadecimal hashes (row 13).
    "malformed/pydicom-data__bad_sequence.dcm": Reason.UID_INVALID,
    # A sequence is four bytes longer than it says, so that the next element runs past the end (row 20).
    "identity/fo-dicom__GH626.dcm": Reason.TRUNCATED,
}


def expected(files: Iterable[Entry]) -> dict[str, str]:
    """Outcome by name in the manifest: archived, ignored, or the reason of its quarantine."""
    later = {said for group in conflicts() for said in group[1:]}
    return {entry.said: OWN.get(entry.said) or _rule(entry, later) for entry in files}


def _rule(entry: Entry, later: set[str]) -> str:
    if entry.is_directory:
        return IGNORED
    if entry.said in later:
        return Reason.DUPLICATE_CONFLICT
    return ARCHIVED if entry.has_uids else Reason.MISSING_UID
