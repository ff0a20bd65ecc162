"""What each step of a study needs, what it makes, and which must be done again: decided here alone.

A step leaves its products in the study's folder for those after it. They can be missing: `finish`
drops the arrays, and then the database may be set back to a copy; or the model was changed between
two steps, and what is reported must be one model's from end to end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msnode import classify, prepare
from msnode.records.results import ModelInfo

DROPPED = "*.safetensors"
"""Products that `finish` drops: arrays, which can be made again from the images."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a step leaves in a study's folder.

    Attributes:
        name: for people.
        is_there: given the folder and the model in force, whether it is there and of use.
    """

    name: str
    is_there: Callable[[Path, ModelInfo], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One durable step, by the name that the engine records.

    Attributes:
        needs: products of the steps before it.
        makes: its own.
    """

    name: str
    needs: tuple[Product, ...] = ()
    makes: tuple[Product, ...] = ()


def work_folder(data: Path, study_key: str, generation: int) -> Path:
    """The folder of a generation of a study, made where it is missing."""
    folder = data / "work" / study_key / str(generation)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _of_this_model(folder: Path, model: ModelInfo) -> bool:
    """Slices as the model in force wants them."""
    made_for = classify.load_info(folder)
    return made_for is not None and made_for.digest == model.digest and prepare.is_saved(folder)


SLICES = Product("prepared slices", lambda folder, _: prepare.is_saved(folder))
FRESH_SLICES = Product("slices prepared for the model in force", _of_this_model)
SCORES = Product(
    "scores of these slices",
    lambda folder, _: prepare.is_saved(folder) and classify.is_saved(folder),
)
OBJECTS = Product("result objects", lambda folder, _: any(folder.glob("*/*.dcm")))

PREPARE = Step("prepare", makes=(SLICES, FRESH_SLICES))
CLASSIFY = Step("classify", needs=(FRESH_SLICES,), makes=(SCORES,))
REPORT = Step("report", needs=(SLICES, SCORES), makes=(OBJECTS,))
DELIVER = Step("deliver", needs=(OBJECTS,))
FINISH = Step("finish")

STUDY = (PREPARE, CLASSIFY, REPORT, DELIVER, FINISH)
"""``study.v1``; what ``report`` made is never made again: it is what was promised to be sent."""


def to_repeat(steps: tuple[Step, ...], step: Step, folder: Path, model: ModelInfo) -> list[Step]:
    """The steps to be done again, in their order, before one of them can begin."""
    lost = set(_missing(steps, step, folder, model))
    return [one for one in steps if one in lost]


def _missing(steps: tuple[Step, ...], step: Step, folder: Path, model: ModelInfo) -> Iterator[Step]:
    """The makers of what a step needs and is not there, and of what these need in turn."""
    for product in step.needs:
        if not product.is_there(folder, model):
            maker = next(one for one in steps if product in one.makes)
            yield maker
            yield from _missing(steps, maker, folder, model)
