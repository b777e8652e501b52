"""What the later parse adds to an instance: facts too slow or too risky to read while a machine waits for its ack."""

from __future__ import annotations

import msgspec

from core.imaging.picture import Description


class HeaderDose(msgspec.Struct, frozen=True):
    """Dose as an image header states it; a fallback behind the dose report and the procedure step.

    dose_area_product: mGy.cm2, from (0018,115E) in dGy.cm2. ctdi_vol: mGy, (0018,9345).
    entrance_dose: mGy, (0040,8302). kvp: kV, (0018,0060). exposure: mAs, (0018,1152). exposure_time: ms, (0018,1150).
    """

    dose_area_product: float | None = None
    ctdi_vol: float | None = None
    entrance_dose: float | None = None
    kvp: float | None = None
    exposure: float | None = None
    exposure_time: float | None = None


class RequestAttributes(msgspec.Struct, frozen=True):
    """One item of (0040,0275): the request the machine says it worked for."""

    accession_number: str = ""
    requested_procedure_id: str = ""
    scheduled_procedure_step_id: str = ""


class IngestFacts(msgspec.Struct, frozen=True):
    """Everything the later parse knows of one file.

    pixels_sha256: hash of the decoded stored values of every frame, little endian, so that a lossless re-encoding has
    the same; empty when nothing was decoded, and then `image.refusal` says why or there is no image.
    """

    image: Description
    dose: HeaderDose
    pixels_sha256: str = ""
    sign_corrected: bool = False
    lossy_ratio: float | None = None
    lossy_method: str = ""
    image_type: tuple[str, ...] = ()
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    frame_of_reference_uid: str = ""
    content_date: str = ""
    content_time: str = ""
    laterality: str = ""
    view_position: str = ""
    burned_in_annotation: bool = False
    procedure_codes: tuple[tuple[str, str, str], ...] = ()
    requests: tuple[RequestAttributes, ...] = ()
    performed_step_uids: tuple[str, ...] = ()
    referenced_instance_uids: tuple[str, ...] = ()
    encapsulated_mime: str = ""
