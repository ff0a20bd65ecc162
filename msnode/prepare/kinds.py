"""Images of one series, divided into stacks of one kind each.

Scanners and archives put images of several kinds under one SeriesInstanceUID: T2 and FLAIR, echoes,
magnitude with phase, a screen shot, a stray plane. Every image is looked at, and what differs in
kind is never part of the same stack. The order of the files has no part in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from msnode.prepare.contrast import refused_type
from msnode.prepare.series_header import MR_IMAGES, Header
from msnode.prepare.stack import SAME_COSINE, SAME_SPACING
from msnode.records.sentences import Sentence, Text

SAME_TIME = 1.05
"""Times that differ by less than this factor are of one kind."""
ODD_PART = 0.25
"""A stack with at most this part of the images of the largest is odd images of that one."""
FEW = 3
"""So many images alone are odd ones beside a stack, however small that is."""
NAMED = 5
"""Numbers of odd images that a warning names."""


@dataclass(frozen=True, slots=True)
class ImageStack:
    """Images of one kind, of one series.

    Attributes:
        headers: of the images, by number.
        warnings: what the reader of a result from them should know.
    """

    headers: tuple[Header, ...]
    warnings: tuple[Text, ...] = ()

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(header.frames for header in self.headers)


def joined(headers: Iterable[Header]) -> tuple[list[Header], frozenset[str]]:
    """Give images that each have a SeriesInstanceUID of their own the one of the first of them.

    Only images that agree in series number, description, size and plane are joined, and at least
    three of them.

    Returns:
        The headers, and the UIDs of the series that were joined.
    """
    by_series = defaultdict(list)
    for header in headers:
        by_series[header.uid].append(header)
    alike = defaultdict(list)
    for uid, images in by_series.items():
        one = images[0]
        if len(images) == 1 and uid and one.frames == 1 and one.sop_class_uid in MR_IMAGES:
            plane = one.orientation and tuple(round(cosine, 2) for cosine in one.orientation)
            alike[one.number, one.description, one.size, plane].append(one)
    groups = {min(h.uid for h in group): group for group in alike.values() if len(group) >= FEW}
    first = {header.uid: uid for uid, group in groups.items() for header in group}
    together = [
        replace(h, uid=first.get(h.uid, h.uid)) for images in by_series.values() for h in images
    ]
    return together, frozenset(groups)


def divide(headers: Sequence[Header]) -> list[ImageStack]:
    """Divide the images of one series; odd images become a warning of its largest stack."""
    levels = {name: _levels(headers, name) for name in ("repetition_ms", "echo_ms", "inversion_ms")}
    groups: dict[tuple[object, ...], list[Header]] = {}
    planes: list[Header] = []
    for header in sorted(headers, key=_place):
        times = tuple(level[getattr(header, name)] for name, level in levels.items())
        kind = (*_terms(header), times, _plane(header, planes))
        groups.setdefault(kind, []).append(header)
    stacks = [ImageStack(tuple(sorted(group, key=_number))) for group in groups.values()]
    return _without_odd(sorted(stacks, key=lambda s: (-s.count, _number(s.headers[0]))))


def _place(header: Header) -> tuple[object, ...]:
    """Sorts images by what they are, so that the groups do not depend on the files' order."""
    return header.orientation or (), header.spacing, header.size, *_number(header)


def _number(header: Header) -> tuple[int, str, int]:
    return header.instance, header.sop_instance_uid, header.frame or 0


def _terms(header: Header) -> tuple[object, ...]:
    """What an image is by its words, apart from times and place."""
    return (
        header.modality,
        header.sop_class_uid in MR_IMAGES,
        header.component,
        refused_type(header),
        "DERIVED" in header.image_type,
        header.sequence,
        header.agent,
    )


def _levels(headers: Iterable[Header], name: str) -> dict[float | None, int]:
    """A level for each value of a time; values next to each other share one."""
    values = sorted({getattr(header, name) for header in headers} - {None})
    levels: dict[float | None, int] = {None: 0}
    level, before = 0, 0.0
    for value in values:
        level += value > before * SAME_TIME
        levels[value], before = level, value
    return levels


def _plane(header: Header, planes: list[Header]) -> int:
    """The number of an image's plane, size and spacing among those seen so far."""
    for number, other in enumerate(planes):
        if _same_plane(header, other):
            return number
    planes.append(header)
    return len(planes) - 1


def _same_plane(one: Header, other: Header) -> bool:
    """Whether two images can be slices of one volume."""
    if one.size != other.size or one.is_placed != other.is_placed:
        return False
    if (one.orientation is None) != (other.orientation is None):
        return False
    if len(one.spacing) != len(other.spacing):
        return False
    return np.allclose(
        one.orientation or (), other.orientation or (), atol=SAME_COSINE
    ) and np.allclose(one.spacing, other.spacing, rtol=SAME_SPACING)


def _without_odd(stacks: list[ImageStack]) -> list[ImageStack]:
    """The stacks, largest first, where few images beside the largest are told as left out."""
    main, *others = stacks
    odd = [other for other in others if _is_odd(other, main)]
    told = tuple(_left_out(other, main.headers[0]) for other in odd)
    return [replace(main, warnings=told), *(other for other in others if other not in odd)]


def _is_odd(other: ImageStack, main: ImageStack) -> bool:
    """Whether a stack is a few stray images of another, not one in its own right.

    A short stack of another contrast may be the one that is wanted; of another plane it is not.
    """
    reason = next(_differences(other.headers[0], main.headers[0]), "odd_times")
    part = 0.0 if reason in ("odd_times", "odd_type") else ODD_PART
    return other.count <= max(FEW, main.count * part) and other.count < main.count


def _left_out(odd: ImageStack, like: Header) -> Sentence:
    """Which images are not among the others, and by what."""
    names = [str(h.instance if h.instance >= 0 else h.frame or "?") for h in odd.headers]
    more = ["…"] if len(names) > NAMED else []
    why = Sentence(next(_differences(odd.headers[0], like), "odd_times"))
    return Sentence("left_out", count=odd.count, images=", ".join(names[:NAMED] + more), why=why)


def _differences(one: Header, other: Header) -> Iterator[str]:
    """The phrase for each thing in which two images differ, the plainest first."""
    if one.modality != other.modality or one.sop_class_uid != other.sop_class_uid:
        yield "odd_class"
    if one.component != other.component or refused_type(one) != refused_type(other):
        yield "odd_type"
    if one.orientation is None or not one.spacing or not one.is_placed:
        yield "odd_no_place"
    if one.size != other.size:
        yield "odd_size"
    if not _same_plane(one, other):
        yield "odd_plane"
