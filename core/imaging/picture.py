"""What the imaging room gives to the rooms above: pictures, and descriptions of pixel data."""

from __future__ import annotations

import msgspec

from core.errors import NotFound, YelenError
from core.imaging.not_displayable import Fact, NotDisplayable, Reason
from core.imaging.window import Window

JPEG, WEBP, PNG = "jpeg", "webp", "png"
MIME = {JPEG: "image/jpeg", WEBP: "image/webp", PNG: "image/png"}


class RenderedFrame(msgspec.Struct, frozen=True):
    """An encoded 8-bit picture of one frame.

    lossy: the encoding lost something; source_lossy: the file had, before it came here.
    window_used: None for colour, and for grey levels made by the file's own VOI LUT.
    incomplete: pixels are missing from the file; the missing rows are drawn striped. A screen must say so.
    """

    data: bytes
    mime: str
    lossy: bool
    width: int
    height: int
    window_used: Window | None
    incomplete: bool = False
    source_lossy: bool = False


class Spacing(msgspec.Struct, frozen=True):
    """Distance between pixel centres, in mm.

    source: the attribute it comes from. Only `PixelSpacing` (calibrated) and `PhysicalDelta` measure the patient;
    `ImagerPixelSpacing` measures the detector, and a length taken with it is magnified.
    """

    row: float
    column: float
    source: str

    @property
    def measures_patient(self) -> bool:
        return self.source in ("PixelSpacing", "PhysicalDelta")


class Refused(msgspec.Struct, frozen=True):
    """A `NotDisplayable` on its way between processes."""

    reason: str
    facts: dict[str, Fact] = {}

    @classmethod
    def of(cls, refusal: NotDisplayable) -> Refused:
        return cls(refusal.reason, refusal.facts)

    def error(self) -> YelenError:
        """The refusal, spoken here: `NotFound` for a frame beyond the last, else `NotDisplayable`."""
        refusal = NotDisplayable(Reason(self.reason), **self.facts)
        return NotFound(str(refusal)) if refusal.reason is Reason.NO_SUCH_FRAME else refusal


class Description(msgspec.Struct, frozen=True):
    """What the pixel data of a file is, as its header says; all zeros when the header cannot be read."""

    refusal: Refused | None = None
    transfer_syntax: str = ""
    rows: int = 0
    columns: int = 0
    frames: int = 0
    whole_frames: int = 0
    photometric: str = ""
    bits_stored: int = 0
    signed: bool = False
    colour: bool = False
    lossy: bool = False
    modality: str = ""
    body_part: str = ""
    windows: tuple[Window, ...] = ()
    window_names: tuple[str, ...] = ()
    spacing: Spacing | None = None

    @property
    def displayable(self) -> bool:
        return self.refusal is None

    @property
    def reason(self) -> str:
        """The French sentence why it is not displayable; empty when it is."""
        return str(self.refusal.error()) if self.refusal else ""

    @property
    def complete(self) -> bool:
        """Every byte of every frame is in the file."""
        return self.whole_frames == self.frames
