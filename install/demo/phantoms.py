"""Phantom studies ready to send: plausible pictures of children who do not exist, in correct DICOM objects.

Everything follows from the exam and the seed: the same two give the same bytes, UIDs included.

Source: PS3.3 A.3 (CT), A.26 (DX), A.6 (US), A.4 (MR), and the modules they name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundImageStorage,
)

from install.demo.anatomy import abdomen, chest, head
from install.demo.anatomy.drawing import Array, Noise, ellipse, grid, inside, resized

PHANTOM_MAKER = "YELEN PHANTOM"
HEAD_TOP, HEAD_BOTTOM = 122.0, 6.0


@dataclass(frozen=True)
class Exam:
    """What the machine knows from the worklist when it sends, and what it is itself.

    performed_at: local time of the machine. birth_date: None when it is not known.
    charset: (0008,0005), `ISO_IR 192` or `ISO_IR 100`.
    """

    patient_name: str
    patient_id: str
    birth_date: date | None
    sex: str
    accession_number: str
    study_uid: str
    performed_at: datetime
    description: str
    requested_procedure_id: str = ""
    step_id: str = ""
    performed_step_uid: str = ""
    referring_physician: str = ""
    institution: str = "HOPITAL DE DEMONSTRATION"
    station_name: str = ""
    charset: str = "ISO_IR 192"


def ct_head(exam: Exam, slices: int = 40, seed: int = 1) -> list[Dataset]:
    """A head CT without contrast: `slices` axial images of 512 x 512, signed 16 bit, HU after rescale."""
    random = _dice(exam, seed)
    child, noise = head.Head(random, _growth(exam)), Noise(random, 512, 512, 0.7)
    x, y = grid(512, 512, head.FIELD, head.FIELD)
    rest = _head_rest(x, y)
    circle = np.hypot(x, y) < head.FIELD / 2
    step = (HEAD_TOP - HEAD_BOTTOM) / max(1, slices - 1)
    images = []
    for n in range(slices):
        plane = resized(child.slice(HEAD_BOTTOM + n * step, head.HOUNSFIELD), 512, 512)
        plane = np.maximum(plane, rest) + np.float32(4.2) * noise.plane()
        stored = np.where(circle, np.clip(plane, -1024, 3071) + 1024, 0).astype("<i2")
        image = _image(exam, "CT", CTImageStorage, 1, n + 1, "CRANE SANS INJECTION", seed)
        _pixels(image, stored, 16, signed=True)
        _plane(image, exam, n * step, step, head.FIELD / 512, head.FIELD)
        _ct(image)
        images.append(image)
    return images


def dx_chest(exam: Exam, seed: int = 1) -> list[Dataset]:
    """A chest radiograph from the front: 2500 x 2048, 12 bit, for presentation."""
    random = _dice(exam, seed)
    shadow = resized(chest.Chest(random).shadow(), 2500, 2048)
    noise = Noise(random, 1250, 1024, 0.55)
    grain = np.kron(noise.plane(), np.ones((2, 2), np.float32)) * np.float32(0.004)
    grain += random.standard_normal((2500, 2048), dtype=np.float32) * np.float32(0.0055)
    shown = np.clip((shadow + grain * (1.25 - shadow)) / np.float32(0.95), 0, 1) ** np.float32(1.15)
    image = _image(exam, "DX", DigitalXRayImageStorageForPresentation, 1, 1, "THORAX FACE", seed)
    _pixels(image, (shown * 3900 + 80).astype("<u2"), 12)
    _dx(image, _growth(exam))
    return [image]


def us_abdomen(exam: Exam, images: int = 4, seed: int = 1) -> list[Dataset]:
    """Frozen views of the abdomen, 768 x 1024, 8 bit grey, calibrated, with the words the machine writes on them."""
    random = _dice(exam, seed)
    names = [list(abdomen.VIEWS)[n % len(abdomen.VIEWS)] for n in range(images)]
    found = []
    for n, name in enumerate(names):
        beams = abdomen.view(random, abdomen.VIEWS[name])
        picture = (abdomen.fan(beams, 768, 1024, _US_MM, _US_TOP) * 255).astype(np.uint8)
        image = _image(exam, "US", UltrasoundImageStorage, 1, n + 1, "ABDOMEN", seed)
        _pixels(image, _annotated(picture, name, exam.performed_at + timedelta(seconds=40 * n)), 8)
        _us(image)
        found.append(image)
    return found


def mr_brain(exam: Exam, slices: int = 20, seed: int = 1) -> list[Dataset]:
    """A brain MR: an axial T2 and an axial T1 series of `slices` images each, 256 x 256, 12 bit."""
    random = _dice(exam, seed)
    child, noise = head.Head(random, _growth(exam)), Noise(random, 256, 256, 0.5)
    x, y = grid(256, 256, head.FIELD, head.FIELD)
    coil = 1.12 - 0.16 * ellipse(x, y, 18, 12, 90, 100) / 90
    step = (HEAD_TOP - HEAD_BOTTOM) / max(1, slices - 1)
    images = []
    for number, (name, tissue) in enumerate((("T2 AXIAL", head.T2), ("T1 AXIAL", head.T1)), start=1):
        for n in range(slices):
            plane = resized(child.slice(HEAD_BOTTOM + n * step, tissue), 256, 256) * coil
            signal = np.hypot(plane + 14 * noise.plane(), 14 * noise.plane())
            image = _image(exam, "MR", MRImageStorage, number, n + 1, name, seed)
            _pixels(image, np.clip(signal * 2, 0, 4095).astype("<u2"), 12)
            _plane(image, exam, n * step, step, head.FIELD / 256, head.FIELD)
            _mr(image, name)
            images.append(image)
    return images


PHANTOMS: Mapping[str, Callable[..., list[Dataset]]] = {
    "CT": ct_head,
    "DX": dx_chest,
    "US": us_abdomen,
    "MR": mr_brain,
}
"""By modality (0008,0060); each takes an `Exam` and a `seed`."""

_US_MM = 0.205
_US_TOP = 104


def _dice(exam: Exam, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{exam.study_uid}/{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _uid(*parts: object) -> str:
    """A UID under 2.25 that follows from `parts`. Source: PS3.5 B.2."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _growth(exam: Exam) -> float:
    """Size against that of a child of about six years."""
    if exam.birth_date is None:
        return 0.97
    years = max(0.0, (exam.performed_at.date() - exam.birth_date).days / 365.25)
    return float(np.clip(0.86 + 0.05 * np.sqrt(years), 0.84, 1.04))


def _age(exam: Exam) -> str:
    """(0010,1010) AS: days under a month, months under two years, then years."""
    if exam.birth_date is None:
        return ""
    days = max(0, (exam.performed_at.date() - exam.birth_date).days)
    if days < 31:
        return f"{days:03}D"
    return f"{days * 12 // 365:03}M" if days < 730 else f"{int(days / 365.25):03}Y"


def _image(exam: Exam, modality: str, sop_class: str, series: int, number: int, protocol: str, seed: int) -> Dataset:
    """Patient, study, series and equipment. Source: PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1, C.12.1."""
    data = Dataset()
    data.SpecificCharacterSet = exam.charset
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = _uid(exam.study_uid, modality, seed, series, number)
    data.StudyInstanceUID = exam.study_uid
    data.SeriesInstanceUID = _uid(exam.study_uid, modality, seed, series)
    data.Modality = modality
    data.SeriesNumber, data.InstanceNumber = str(series), str(number)
    data.PatientName, data.PatientID = exam.patient_name, exam.patient_id
    data.PatientBirthDate = exam.birth_date.strftime("%Y%m%d") if exam.birth_date else ""
    data.PatientSex, data.PatientAge = exam.sex, _age(exam)
    data.AccessionNumber = exam.accession_number
    data.ReferringPhysicianName = exam.referring_physician
    data.StudyID = exam.requested_procedure_id[:16]
    data.StudyDescription, data.SeriesDescription, data.ProtocolName = exam.description, protocol, protocol
    data.InstitutionName, data.StationName = exam.institution, exam.station_name or f"{modality}1"
    data.Manufacturer, data.ManufacturerModelName, data.SoftwareVersions = PHANTOM_MAKER, f"{modality}-1", "1"
    _moments(data, exam, series, number)
    _request(data, exam)
    _meta(data)
    return data


def _moments(data: Dataset, exam: Exam, series: int, number: int) -> None:
    start = exam.performed_at
    begun = start + timedelta(minutes=4 * (series - 1))
    taken = begun + timedelta(seconds=number)
    data.StudyDate, data.StudyTime = start.strftime("%Y%m%d"), start.strftime("%H%M%S")
    data.SeriesDate, data.SeriesTime = begun.strftime("%Y%m%d"), begun.strftime("%H%M%S")
    data.AcquisitionDate = data.ContentDate = taken.strftime("%Y%m%d")
    data.AcquisitionTime = data.ContentTime = taken.strftime("%H%M%S")
    data.InstanceCreationDate, data.InstanceCreationTime = data.ContentDate, data.ContentTime
    data.PerformedProcedureStepStartDate, data.PerformedProcedureStepStartTime = data.StudyDate, data.StudyTime


def _request(data: Dataset, exam: Exam) -> None:
    """Source: PS3.3 10.6 (Request Attributes), C.7.3.1 (reference to the performed step)."""
    if exam.requested_procedure_id or exam.step_id:
        item = Dataset()
        item.AccessionNumber = exam.accession_number
        item.RequestedProcedureID, item.ScheduledProcedureStepID = exam.requested_procedure_id, exam.step_id
        item.RequestedProcedureDescription = item.ScheduledProcedureStepDescription = exam.description
        data.RequestAttributesSequence = Sequence([item])
    if exam.performed_step_uid:
        step = Dataset()
        step.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.3"
        step.ReferencedSOPInstanceUID = exam.performed_step_uid
        data.ReferencedPerformedProcedureStepSequence = Sequence([step])


def _meta(data: Dataset) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_uid(PHANTOM_MAKER))
    data.file_meta = meta


def _pixels(data: Dataset, picture: Array, bits: int, signed: bool = False) -> None:
    """Source: PS3.3 C.7.6.3."""
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = picture.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * picture.dtype.itemsize, bits, bits - 1
    data.PixelRepresentation = int(signed)
    data.PixelData = picture.tobytes()
    data["PixelData"].VR = "OW" if picture.dtype.itemsize == 2 else "OB"
    data.BurnedInAnnotation, data.LossyImageCompression = "NO", "00"


def _plane(data: Dataset, exam: Exam, height: float, thickness: float, spacing: float, field: float) -> None:
    """Axial, head first, supine. Source: PS3.3 C.7.6.2, C.7.4.1."""
    corner = -field / 2 + spacing / 2
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if data.Modality == "CT" else ["ORIGINAL", "PRIMARY", "M", "SE"]
    data.BodyPartExamined, data.PatientPosition = "HEAD", "HFS"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = _uid(exam.study_uid, "frame of reference"), ""
    data.PixelSpacing = [_ds(spacing), _ds(spacing)]
    data.SliceThickness, data.SliceLocation = _ds(thickness), _ds(height)
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [_ds(corner), _ds(corner), _ds(height)]
    data.AcquisitionNumber = "1"


def _ct(data: Dataset) -> None:
    """Source: PS3.3 C.8.2.1. A head protocol for children."""
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    data.WindowCenter, data.WindowWidth = ["38", "500"], ["80", "2500"]
    data.WindowCenterWidthExplanation = ["CERVEAU", "OS"]
    data.KVP, data.XRayTubeCurrent, data.ExposureTime, data.Exposure = "100", "180", "1000", "180"
    data.ConvolutionKernel, data.GantryDetectorTilt, data.TableHeight = "H30", "0", "120"
    data.CTDIvol = 18.4
    data.ReconstructionDiameter = _ds(head.FIELD)


def _dx(data: Dataset, growth: float) -> None:
    """Source: PS3.3 C.8.11.1 to C.8.11.5, C.8.7.2; view names of CID 4010, anatomy of CID 4009."""
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.PresentationIntentType = "FOR PRESENTATION"
    data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = "LOG", -1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"
    data.PresentationLUTShape = "IDENTITY"
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = "2048", "4000", "LINEAR"
    data.BodyPartExamined, data.ViewPosition, data.PatientOrientation = "CHEST", "AP", ["L", "F"]
    data.ImageLaterality = "U"
    data.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Chest")])
    view = _code("399348003", "SCT", "antero-posterior")
    data.ViewCodeSequence = Sequence([view])
    data.AcquisitionContextSequence = Sequence([])
    data.DetectorType, data.PositionerType = "SCINTILLATOR", "NONE"
    data.ImagerPixelSpacing = [_ds(chest.HEIGHT / 2500), _ds(chest.WIDTH / 2048)]
    data.KVP, data.ExposureTime, data.Exposure, data.XRayTubeCurrent = "62", "8", "2", "250"
    data.DistanceSourceToDetector, data.Grid = "1100", "NONE"
    data.ImageAndFluoroscopyAreaDoseProduct = _ds(0.22 * growth)
    data.AcquisitionNumber = "1"


def _us(data: Dataset) -> None:
    """Source: PS3.3 C.8.5.5 (regions), C.8.5.6."""
    data.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    data.BodyPartExamined, data.UltrasoundColorDataPresent = "ABDOMEN", 0
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 60
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 1023, 767
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = _US_MM / 10
    region.ReferencePixelX0, region.ReferencePixelY0 = 512, _US_TOP - 60
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.TransducerFrequency = 5000
    data.SequenceOfUltrasoundRegions = Sequence([region])
    data.TransducerData = ["C5-1", "", ""]


def _mr(data: Dataset, name: str) -> None:
    """Source: PS3.3 C.8.3.1."""
    t2 = name.startswith("T2")
    data.ScanningSequence, data.SequenceVariant, data.ScanOptions = "SE", "SK", ""
    data.MRAcquisitionType = "2D"
    data.RepetitionTime, data.EchoTime, data.EchoTrainLength = ("4200", "98", "15") if t2 else ("520", "12", "1")
    data.MagneticFieldStrength, data.ImagingFrequency, data.FlipAngle = "1.5", "63.87", "90"
    data.SpacingBetweenSlices = data.SliceThickness
    data.WindowCenter, data.WindowWidth = ("1250", "2300") if t2 else ("960", "1750")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _ds(number: float) -> str:
    """A decimal string of at most 16 characters. Source: PS3.5 6.2."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _head_rest(x: Array, y: Array) -> Array:
    """The plastic cradle under the head, HU; air elsewhere."""
    shell = np.abs(ellipse(x, y, 0, -4, 88, 97)) - np.float32(1.1)
    low = inside(np.float32(38) - y, 8)
    return np.asarray(-1000 + 880 * inside(shell) * low, np.float32)


def _annotated(picture: Array, view: str, moment: datetime) -> Array:
    """What a machine writes on its screen; nothing that names the patient."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    small, large = _font(15), _font(18)
    draw.text((18, 12), "PHANTOM  ECHO ABDOMEN PED", fill=200, font=large)
    draw.text((18, 36), moment.strftime("%d/%m/%Y  %H:%M:%S"), fill=160, font=small)
    draw.text((820, 12), "C5-1  5.0 MHz", fill=160, font=small)
    draw.text((820, 32), "G 58%   DR 60   IT 0.6  IM 0.9", fill=160, font=small)
    draw.text((18, 734), view, fill=220, font=large)
    for centimetre in range(int(abdomen.DEPTH / 10) + 1):
        y = _US_TOP + centimetre * 10 / _US_MM
        wide = 12 if centimetre % 5 == 0 else 6
        draw.line([(1004 - wide, y), (1004, y)], fill=170)
        if centimetre % 5 == 0 and centimetre:
            draw.text((966, y - 9), str(centimetre), fill=170, font=small)
    for level in range(160):
        draw.line([(20, 300 - level), (32, 300 - level)], fill=int(level * 255 / 159))
    return np.asarray(image)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
