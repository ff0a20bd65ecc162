"""What each step of a study needs and makes, and which steps must be repeated; decided only here.

A step leaves its products in the study's folder for later steps. They can be missing, if `finish`
dropped the arrays and the database was then restored from a backup. Or the model was changed
between two steps, while a report must come from one model from start to end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msnode import classify, prepare
from msnode.lesions import cache
from msnode.records.results import ModelInfo

DROPPED = "*.safetensors"
"""Products that `finish` drops: arrays, which can be made again from the images."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a step leaves in a study's folder.

    Attributes:
        name: for people to read.
        is_there: given the folder and the model in force, whether it is there and usable.
    """

    name: str
    is_there: Callable[[Path, ModelInfo], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One durable step, by the name that the engine records.

    Attributes:
        needs: products of the steps before it.
        makes: its own products.
    """

    name: str
    needs: tuple[Product, ...] = ()
    makes: tuple[Product, ...] = ()


def work_folder(data: Path, study_key: str, generation: int) -> Path:
    """The folder of one generation of a study; created if missing."""
    folder = data / "work" / study_key / str(generation)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _of_this_model(folder: Path, model: ModelInfo) -> bool:
    """Whether the slices were prepared for the model in force."""
    made_for = classify.load_info(folder)
    return made_for is not None and made_for.digest == model.digest and prepare.is_saved(folder)


SLICES = Product("prepared slices", lambda folder, _: prepare.is_saved(folder))
FRESH_SLICES = Product("slices prepared for the model in force", _of_this_model)
SCORES = Product(
    "scores of these slices",
    lambda folder, _: prepare.is_saved(folder) and classify.is_saved(folder),
)
VOLUME = Product("the series' voxels", lambda folder, _: prepare.has_volume(folder))
LESIONS = Product(
    "maps of the lesions, where any were outlined",
    lambda folder, _: cache.is_saved(folder) or not cache.was_saved(folder),
)
OBJECTS = Product("result objects", lambda folder, _: any(folder.glob("*/*.dcm")))

PREPARE = Step("prepare", makes=(SLICES, FRESH_SLICES, VOLUME))
OUTLINE = Step("outline", needs=(VOLUME,), makes=(LESIONS,))
CLASSIFY = Step("classify", needs=(FRESH_SLICES,), makes=(SCORES,))
REPORT = Step("report", needs=(SLICES, LESIONS, SCORES), makes=(OBJECTS,))
DELIVER = Step("deliver", needs=(OBJECTS,))
FINISH = Step("finish")

STUDY = (PREPARE, OUTLINE, CLASSIFY, REPORT, DELIVER, FINISH)
"""``study.v2``; ``study.v1`` did not outline.

What ``report`` made is never made again: exactly that is to be delivered."""


SMEAR_PREPARE = Step("prepare", makes=(SLICES, FRESH_SLICES))
SMEAR_REPORT = Step("report", needs=(SLICES, SCORES), makes=(OBJECTS,))

SMEARS = (SMEAR_PREPARE, CLASSIFY, SMEAR_REPORT, DELIVER, FINISH)
"""Of studies without a volume, in which nothing is outlined; the workflow is the same."""


def to_repeat(steps: tuple[Step, ...], step: Step, folder: Path, model: ModelInfo) -> list[Step]:
    """The steps that must be repeated, in order, before ``step`` can begin."""
    lost = set(_missing(steps, step, folder, model))
    return [one for one in steps if one in lost]


def _missing(steps: tuple[Step, ...], step: Step, folder: Path, model: ModelInfo) -> Iterator[Step]:
    """The steps that make what ``step`` needs but lacks, and those that they need in turn."""
    for product in step.needs:
        if not product.is_there(folder, model):
            maker = next(one for one in steps if product in one.makes)
            yield maker
            yield from _missing(steps, maker, folder, model)
