"""The later parse of one file, in the background worker: the whole header, and every frame decoded once.

Source: PS3.3 C.7.6.1 (image), C.7.6.2 (plane), C.8.7.8 and C.4.16 (dose), 10.6 (request attributes).
"""

from __future__ import annotations

import hashlib
import warnings

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from core.imaging import attributes
from core.imaging.describe import describe
from core.imaging.header import Header
from core.imaging.ingest_facts import HeaderDose, IngestFacts, RequestAttributes
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.part10 import EXPLICIT_BE, IMPLICIT_LE
from core.imaging.picture import Description, Refused
from core.imaging.pixels import decode
from core.imaging.source import Source

MAX_REFERENCES = 2_000
DGY_TO_MGY = 100.0


def facts_of(source: Source, header: Header | Refused, with_pixels: bool) -> IngestFacts:
    """Facts of an open file whose header was read, or refused."""
    image, digest, corrected = _image(source, header, with_pixels)
    data = _whole_header(source)
    return IngestFacts(
        image=image,
        dose=_dose(data),
        pixels_sha256=digest,
        sign_corrected=corrected,
        lossy_ratio=attributes.number(data, "LossyImageCompressionRatio"),
        lossy_method=attributes.text(data, "LossyImageCompressionMethod"),
        image_type=tuple(map(str, attributes.values(data, "ImageType"))),
        position=tuple(attributes.numbers(data, "ImagePositionPatient")),
        orientation=tuple(attributes.numbers(data, "ImageOrientationPatient")),
        frame_of_reference_uid=attributes.text(data, "FrameOfReferenceUID"),
        content_date=attributes.text(data, "ContentDate"),
        content_time=attributes.text(data, "ContentTime"),
        laterality=attributes.text(data, "ImageLaterality") or attributes.text(data, "Laterality"),
        view_position=attributes.text(data, "ViewPosition"),
        burned_in_annotation=attributes.text(data, "BurnedInAnnotation") == "YES",
        procedure_codes=tuple(_code(item) for item in attributes.items(data, "ProcedureCodeSequence")),
        requests=tuple(_request(item) for item in attributes.items(data, "RequestAttributesSequence")),
        performed_step_uids=_references(data, "ReferencedPerformedProcedureStepSequence"),
        referenced_instance_uids=_references(data, "ReferencedImageSequence", "SourceImageSequence"),
        encapsulated_mime=attributes.text(data, "MIMETypeOfEncapsulatedDocument"),
    )


def _image(source: Source, header: Header | Refused, with_pixels: bool) -> tuple[Description, str, bool]:
    if isinstance(header, Refused):
        return Description(refusal=header), "", False
    image = describe(header)
    if not with_pixels or image.refusal or not image.complete:
        return image, "", False
    digest, corrected = hashlib.sha256(), False
    for index in range(header.frames):
        try:
            frame = decode(source, header, index)
        except NotDisplayable as refusal:
            return describe(header, refusal), "", False
        if frame.missing_rows:
            return image, "", False
        corrected |= frame.sign_corrected
        digest.update(frame.samples.astype(frame.samples.dtype.newbyteorder("<"), copy=False).tobytes())
    return image, digest.hexdigest(), corrected


def _whole_header(source: Source) -> Dataset:
    source.file.seek(source.offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_dataset(
                source.file,
                is_implicit_VR=source.encoding == IMPLICIT_LE,
                is_little_endian=source.encoding != EXPLICIT_BE,
                stop_when=lambda tag, vr, length: tag.group >= 0x7FE0 or tag == (0x0042, 0x0011),
            )
        except MemoryError:
            raise
        except Exception as error:  # pydicom raises a dozen kinds on hostile bytes
            raise NotDisplayable(Reason.UNREADABLE) from error


def _dose(data: Dataset) -> HeaderDose:
    product = attributes.number(data, "ImageAndFluoroscopyAreaDoseProduct")
    return HeaderDose(
        dose_area_product=None if product is None else product * DGY_TO_MGY,
        ctdi_vol=attributes.number(data, "CTDIvol"),
        entrance_dose=attributes.number(data, "EntranceDoseInmGy"),
        kvp=attributes.number(data, "KVP"),
        exposure=attributes.number(data, "Exposure"),
        exposure_time=attributes.number(data, "ExposureTime"),
    )


def _code(item: Dataset) -> tuple[str, str, str]:
    return tuple(attributes.text(item, each) for each in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"))  # type: ignore[return-value]


def _request(item: Dataset) -> RequestAttributes:
    return RequestAttributes(
        accession_number=attributes.text(item, "AccessionNumber"),
        requested_procedure_id=attributes.text(item, "RequestedProcedureID"),
        scheduled_procedure_step_id=attributes.text(item, "ScheduledProcedureStepID"),
    )


def _references(data: Dataset, *keywords: str) -> tuple[str, ...]:
    items = (item for keyword in keywords for item in attributes.items(data, keyword))
    found = (attributes.text(item, "ReferencedSOPInstanceUID") for item in items)
    return tuple(dict.fromkeys(uid for uid in found if uid))[:MAX_REFERENCES]
