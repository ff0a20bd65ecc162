"""Grayscale Softcopy Presentation State: the saliency peaks marked on the source (PS3.3 A.33)."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from msnode.records.images import SourceFrame
from msnode.records.results import SliceFinding
from msnode.report import dicom_modules, geometry
from msnode.report.case import Case, matter

LAYER = "AI_SALIENCY"
RADIUS_MM = 6.0


def build(case: Case) -> Dataset:
    """A ring around the peak of each slice that matters, and its probability."""
    dataset = dicom_modules.new(case, "gsps", GrayscaleSoftcopyPresentationStateStorage)
    for keyword in ("ContentDate", "ContentTime"):
        dataset.pop(keyword, None)
    dataset.PresentationCreationDate = case.created.strftime("%Y%m%d")
    dataset.PresentationCreationTime = case.created.strftime("%H%M%S.%f")
    dataset.BodyPartExamined = case.report.words.body_part
    dataset.ContentLabel = LAYER
    dataset.ContentDescription = _plain(case.say("limits_short"))  # "not verified" is on the rings
    dataset.ContentCreatorName = "msnode"
    found = matter(case)
    _relationship(dataset, case, [one.peak.source for one in found])
    dataset.DisplayedAreaSelectionSequence = [_area(one.peak.source) for one in found]
    dataset.GraphicAnnotationSequence = [_annotation(case, one) for one in found]
    dataset.GraphicLayerSequence = [layer := Dataset()]
    layer.GraphicLayer, layer.GraphicLayerOrder = LAYER, 1
    layer.GraphicLayerRecommendedDisplayCIELabValue = [52000, 40000, 53000]
    dataset.PresentationLUTShape = "IDENTITY"
    if windows := _windows(case, found):
        dataset.SoftcopyVOILUTSequence = windows
    return dataset


def _relationship(dataset: Dataset, case: Case, frames: list[SourceFrame]) -> None:
    """Presentation State Relationship module: each instance once, with its frames."""
    by_instance: dict[str, list[SourceFrame]] = {}
    for frame in frames:
        by_instance.setdefault(frame.sop_instance_uid, []).append(frame)
    series: dict[str, Dataset] = {}
    for same in by_instance.values():
        uid = same[0].series_instance_uid
        if uid not in series:
            series[uid] = Dataset()
            series[uid].SeriesInstanceUID = uid
            series[uid].ReferencedImageSequence = []
        numbers = [frame.frame for frame in same if frame.frame is not None]
        series[uid].ReferencedImageSequence.append(
            dicom_modules.reference(same[0].sop_class_uid, same[0].sop_instance_uid, numbers)
        )
    dataset.ReferencedSeriesSequence = list(series.values())


def _area(frame: SourceFrame) -> Dataset:
    """Displayed Area module: the whole image."""
    area = Dataset()
    area.ReferencedImageSequence = [dicom_modules.frame_reference(frame)]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [frame.columns, frame.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = geometry.spacing(frame.affine)
    return area


def _annotation(case: Case, found: SliceFinding) -> Dataset:
    """A ring around a peak with its text beside it."""
    column, row = found.peak.graphic_data
    frame = found.peak.source
    between_rows, between_columns = map(float, geometry.spacing(frame.affine))
    across, down = RADIUS_MM / between_columns, RADIUS_MM / between_rows
    annotation = Dataset()
    annotation.ReferencedImageSequence = [dicom_modules.frame_reference(frame)]
    annotation.GraphicLayer = LAYER
    annotation.GraphicObjectSequence = [ring := Dataset()]
    ring.GraphicAnnotationUnits = "PIXEL"
    ring.GraphicDimensions = 2
    ring.GraphicType = "ELLIPSE"
    ring.NumberOfGraphicPoints = 4
    ring.GraphicData = [
        column - across, row, column + across, row, column, row - down, column, row + down,
    ]  # fmt: skip
    ring.GraphicFilled = "N"
    annotation.TextObjectSequence = [label := Dataset()]
    text = f"{case.say('banner_short')}: {case.say.percent(found.probability)}"
    label.UnformattedTextValue = _plain(text)
    label.AnchorPoint = [column + across, row]
    label.AnchorPointVisibility = "N"
    label.AnchorPointAnnotationUnits = "PIXEL"
    return annotation


def _plain(text: str) -> str:
    """Without the dash that dcmtk's checker takes for no character."""
    return text.replace("–", "-").replace("’", "'")


def _windows(case: Case, found: list[SliceFinding]) -> list[Dataset]:
    """Softcopy VOI LUT module: the source's own windows, so that it looks as before."""
    items = []
    for one in found:
        frame = one.peak.source
        image = case.images.get(frame.sop_instance_uid)
        window = _window(image.path, frame) if image is not None and image.path else None
        if window is not None:
            item = Dataset()
            item.ReferencedImageSequence = [dicom_modules.frame_reference(frame)]
            item.WindowCenter, item.WindowWidth = map(geometry.decimal, window)
            items.append(item)
    return items


def _window(path: Path, frame: SourceFrame) -> tuple[float, float] | None:
    """Centre and width in stored values, as no Modality LUT is named; None where unknown."""
    source = pydicom.dcmread(path)
    slope = float(_lookup(source, frame, "PixelValueTransformationSequence", "RescaleSlope") or 1)
    intercept = float(
        _lookup(source, frame, "PixelValueTransformationSequence", "RescaleIntercept") or 0
    )
    centre = _lookup(source, frame, "FrameVOILUTSequence", "WindowCenter")
    width = _lookup(source, frame, "FrameVOILUTSequence", "WindowWidth")
    if centre is not None and width is not None and slope > 0 and float(width) >= 1:
        return (float(centre) - intercept) / slope, max(float(width) / slope, 1.0)
    return _range(source, frame)


def _lookup(source: Dataset, frame: SourceFrame, group: str, keyword: str) -> float | None:
    """An attribute of a classic image, or of a frame's functional groups; the first value."""
    places = [source]
    if frame.frame is not None:
        per_frame = source.get("PerFrameFunctionalGroupsSequence", ())
        groups = [*per_frame[frame.frame - 1 : frame.frame]]
        groups += source.get("SharedFunctionalGroupsSequence", ())
        places += [item for one in groups for item in one.get(group, ())]
    for place in places:
        value = place.get(keyword)
        if value is not None and value != "":
            first = value[0] if isinstance(value, pydicom.multival.MultiValue) else value
            return float(first)
    return None


def _range(source: Dataset, frame: SourceFrame) -> tuple[float, float] | None:
    """A window that shows nearly all stored values."""
    try:
        stored = source.pixel_array
    except (AttributeError, NotImplementedError, RuntimeError, ValueError):
        return None
    if frame.frame is not None and stored.ndim == 3:
        stored = stored[frame.frame - 1]
    low, high = np.percentile(stored, [0.5, 99.7])
    return float(low + high) / 2, max(float(high - low), 1.0)
