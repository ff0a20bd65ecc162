"""Slices of the series with the lesions outlined: the head alone, as radiologists hold it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from msnode.records.images import Float32Array, Float64Array, SourceFrame
from msnode.records.lesions import Lesion
from msnode.report import contours, geometry
from msnode.report.case import NEIGHBOURS_MM, Case, image_label
from msnode.report.contours import Mask
from msnode.report.lesion_groups import group, grouped, matter, places
from msnode.report.palette import grey
from msnode.report.tiles import AIR, RIM, SIDE

PAIRS, SINGLE = 4, 8
"""Slices shown, of two scans and of one."""

LINE = 2
"""Width of the thinnest outline, pixels of a tile."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The series as it is shown: turned so that the patient's right or front is at the left.

    Attributes:
        now: (slices, rows, columns) float32; likewise ``prior``, None without a comparison.
        groups: (slices, rows, columns) uint8, see `lesion_groups.grouped`.
        gone: (slices, rows, columns) of the earlier scan; None without a comparison.
        numbers: (slices, rows, columns) uint16, the lesion's number.
        box: left, top, right, bottom of the head, pixels; a square in the patient.
        letters: which side is left, right, at the top and at the bottom.
        limits: darkest and brightest value shown.
    """

    now: Float32Array
    prior: Float32Array | None
    groups: NDArray[np.uint8]
    gone: Mask | None
    numbers: NDArray[np.uint16]
    box: tuple[float, float, float, float]
    letters: tuple[str, str, str, str]
    limits: tuple[float, float]


def stack(case: Case) -> Stack:
    """The series of a study in which lesions were outlined."""
    maps, affine = case.maps, case.slices.frames[0].affine
    turn, turned = _turn(affine)
    now = turn(maps.flair)
    limits = window(now)
    right, down = geometry.sides(turned)
    gone = contours.gone(maps.changes)
    return Stack(
        now=now,
        prior=None if maps.prior is None else turn(maps.prior),
        groups=turn(grouped(case.outlined, maps)),
        gone=None if gone is None else turn(gone),
        numbers=turn(maps.numbers),
        box=_head(now, limits, turned),
        letters=(geometry.opposite(right), right, geometry.opposite(down), down),
        limits=limits,
    )


INSIDE = 0.12
"""Part of the picture's rows by which the head is peeled: the scalp's fat outshines lesions."""


def window(planes: Float32Array) -> tuple[float, float]:
    """Darkest and brightest value shown, the same for the whole series: by what is in the skull."""
    coarse = planes[:, ::4, ::4]
    low, high = np.percentile(coarse, [0.5, 99.9])
    head = coarse > low + AIR * (high - low)
    peel = max(round(INSIDE * coarse.shape[1]), 1)
    kept = [
        ndimage.binary_erosion(ndimage.binary_fill_holes(plane), iterations=peel) for plane in head
    ]
    inner = coarse[np.stack(kept)]
    if len(inner) > 100:
        high = np.percentile(inner, 99.8)
    return float(low), float(max(high, low + 1e-6))


def _turn(affine: Float64Array) -> tuple[Any, Float64Array]:
    """How to turn (columns, rows, slices) into (slices, rows, columns) for people, and the affine.

    Rows are to lead to the left or the back of the patient, columns to the back or the feet.
    """
    swap = np.abs(affine[:3, 0]).argmax() > np.abs(affine[:3, 1]).argmax()
    turned = affine[:, [1, 0, 2, 3]] if swap else affine.copy()
    flips = [letter in "RAH" for letter in geometry.sides(turned)]
    turned[:3, :2] *= np.where(flips, -1, 1)

    def turn(volume: NDArray[Any]) -> NDArray[Any]:
        planes = volume.transpose((2, 0, 1) if swap else (2, 1, 0))
        planes = planes[:, :, ::-1] if flips[0] else planes
        return np.ascontiguousarray(planes[:, ::-1] if flips[1] else planes)

    return turn, turned


def _head(
    planes: Float32Array, limits: tuple[float, float], affine: Float64Array
) -> tuple[float, float, float, float]:
    """The smallest square around the largest bright thing; may reach beyond the image."""
    seen = planes.max(axis=0) > limits[0] + AIR * (limits[1] - limits[0])
    labels, count = ndimage.label(seen)
    if count:
        seen = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    places = np.argwhere(seen if seen.any() else np.ones_like(seen))
    low, high = places.min(axis=0) - RIM, places.max(axis=0) + 1 + RIM
    mm = np.linalg.norm(affine[:3, :2], axis=0)[::-1]  # of a row, of a column
    half = float(((high - low) * mm).max()) / 2 / mm
    top, left = (low + high) / 2 - half
    bottom, right = (low + high) / 2 + half
    return float(left), float(top), float(right), float(bottom)


def chosen(case: Case) -> list[int]:
    """The slices to show, no neighbours: of lesions that matter, then those with most lesion."""
    most = SINGLE if case.maps.prior is None else PAIRS
    area = (case.maps.numbers > 0).sum(axis=(0, 1))
    full = [index for index in np.argsort(-area, kind="stable").tolist() if area[index]]
    found: list[int] = []
    for index in [*_changed(case), *full]:
        if len(found) < most and _is_apart(case, index, found):
            found.append(index)
    if found:
        return found
    spread = np.linspace(0.2, 0.8, most) * (len(area) - 1)
    return sorted(set(spread.round().astype(int).tolist()))


def _changed(case: Case) -> list[int]:
    """The slices that show new, enlarging and gone lesions best, in this order."""
    ranked = matter(case.outlined)
    active = [
        one for one in ranked if group(case.outlined.comparison, one.number) in ("new", "enlarging")
    ]
    slices = [one.slice for one in places(case, active).values()]
    gone = contours.gone(case.maps.changes)
    if gone is not None and gone.any():
        slices.append(int(gone.sum(axis=(0, 1)).argmax()))
    return slices


def _is_apart(case: Case, index: int, others: list[int]) -> bool:
    """Whether a slice shows something else than others."""
    least = min((abs(index - other) for other in others), default=1 << 16)
    return least > 0 and least * case.slices.thickness_mm > NEIGHBOURS_MM


def sources(case: Case) -> list[SourceFrame]:
    """The images that are shown."""
    return [case.slices.frames[index] for index in chosen(case)]


def now(shown: Stack, index: int) -> Image.Image:
    """A slice of this scan with its lesions outlined, (SIDE, SIDE) RGB."""
    picture = _picture(shown, shown.now[index])
    contours.draw(picture, _enlarged(shown, contours.masks(shown.groups[index])), LINE)
    return picture


def prior(shown: Stack, index: int) -> Image.Image:
    """The same slice of the earlier scan, with what is gone outlined, (SIDE, SIDE) RGB."""
    assert shown.prior is not None  # noqa: S101 - the builders' contract
    picture = _picture(shown, shown.prior[index])
    if shown.gone is not None:
        contours.draw(picture, _enlarged(shown, {"gone": shown.gone[index]}), LINE)
    return picture


def named(case: Case, shown: Stack, index: int) -> Iterator[tuple[Lesion, float, float]]:
    """The lesions that matter and are seen best here: right of each, as parts of the side."""
    left, top, right, bottom = shown.box
    named = matter(case.outlined)
    where = places(case, named)
    for lesion in named:
        if (
            where[lesion.number].slice != index
            or group(case.outlined.comparison, lesion.number) == "rest"
        ):
            continue
        rows, columns = np.nonzero(shown.numbers[index] == lesion.number)
        x = (columns.max() + 1 - left) / (right - left)
        y = (rows.mean() + 0.5 - top) / (bottom - top)
        yield lesion, float(x), float(y)


def _picture(shown: Stack, plane: Float32Array) -> Image.Image:
    """The head of a plane, enlarged."""
    padded, box = _padded(plane, shown.box)
    image = grey(padded, shown.limits)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box).convert("RGB")


def _enlarged(shown: Stack, lesions: dict[str, Mask]) -> dict[str, Mask]:
    """The head's part of masks, as large as the picture."""
    enlarged = {}
    for name, mask in lesions.items():
        padded, box = _padded(mask, shown.box)
        enlarged[name] = contours.smooth(padded, (SIDE, SIDE), box)
    return enlarged


def _padded(
    plane: NDArray[Any], box: tuple[float, float, float, float]
) -> tuple[NDArray[Any], tuple[float, float, float, float]]:
    """A plane that is large enough for a box, and the box in it."""
    left, top, right, bottom = box
    rows, columns = plane.shape
    beyond = max(0.0, -left, -top, right - columns, bottom - rows)
    pad = int(np.ceil(beyond))
    edge = plane.min()
    return np.pad(plane, pad, constant_values=edge), tuple(one + pad for one in box)  # type: ignore[return-value]


def date(case: Case, *, earlier: bool) -> str:
    """Which scan it is, and of when."""
    date = case.outlined.comparison.prior_date
    study = str(case.header.study.get("StudyDate", ""))
    now = f"{study[:4]}-{study[4:6]}-{study[6:]}" if len(study) == 8 else ""
    day = (date.isoformat() if date else "") if earlier else now
    name = case.say("scan_earlier" if earlier else "scan_now")
    return f"{name} · {day}" if day else name


def label(case: Case, index: int) -> str:
    """The image by which a viewer finds the slice again."""
    count = len(case.slices.frames)
    place = case.say("slice_of", number=index + 1, count=count)
    return image_label(case, case.slices.frames[index]) or place


def legend(case: Case, name: str) -> str:
    """What an outline means."""
    if name == "rest" and case.outlined.uncompared:
        return case.say("legend_rest_some")
    return case.say(f"legend_{name}" if name in ("rest", "lesion") else f"lesion_{name}")
