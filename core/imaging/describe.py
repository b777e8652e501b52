"""What a file's pixel data is, read from its header alone."""

from __future__ import annotations

from core.imaging import attributes, voi
from core.imaging.frames import was_lossy
from core.imaging.geometry import spacing_of
from core.imaging.header import Header
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.picture import Description, Refused
from core.imaging.pixels import refuse_what_has_no_decoder


def describe(header: Header, refusal: NotDisplayable | None = None) -> Description:
    """The description of the first frame, and of the frames as a whole; `refusal`: what decoding ran into."""
    refusal = refusal or _refusal(header)
    return Description(
        refusal=Refused.of(refusal) if refusal else None,
        transfer_syntax=header.syntax,
        rows=header.rows,
        columns=header.columns,
        frames=header.frames,
        whole_frames=header.whole_frames,
        photometric=header.photometric,
        bits_stored=header.bits_stored,
        signed=header.signed,
        colour=header.samples == 3 or header.photometric == "PALETTE COLOR",
        lossy=was_lossy(header),
        modality=attributes.text(header.data, "Modality"),
        body_part=attributes.text(header.data, "BodyPartExamined"),
        windows=tuple(voi.windows(header, 0)),
        window_names=tuple(str(name) for name in attributes.values(header.data, "WindowCenterWidthExplanation")),
        spacing=spacing_of(header, 0),
    )


def _refusal(header: Header) -> NotDisplayable | None:
    try:
        refuse_what_has_no_decoder(header)
    except NotDisplayable as refusal:
        return refusal
    partial = header.native and header.length * 8 * header.rows >= header.frame_bits
    if not header.whole_frames and not partial and not (header.fragments and header.fragments.items):
        return NotDisplayable(Reason.TRUNCATED, whole=0, frames=header.frames)
    return None
