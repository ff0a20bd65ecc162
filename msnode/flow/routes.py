"""Routes: how studies are read. Each kind of study is one `Route`.

Which one a study goes is told by the SOP Classes of its images (`Readings.of`). The classifier
comes from the bundle; the route's preparation and words must fit the bundle's input contract and
classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from msnode import prepare
from msnode.classify import CLASSES, Bundle, Runner, load_bundle
from msnode.errors import ConfigError
from msnode.flow.analysis import PrepareInto
from msnode.flow.steps import SMEARS, STUDY, Step
from msnode.records.images import InputContract, SeriesChoice, Study
from msnode.records.vocabulary import BRAIN, SMEAR, Vocabulary


@dataclass(frozen=True, slots=True)
class Route:
    """How one kind of study is read.

    Attributes:
        name: as in configuration and metrics.
        sop_classes: a study with images of one of these (PS3.4 B.5) is of this kind.
        classes: those that a bundle for this route must tell apart, the finding last.
        has_wanted: whether files, one per series, include one that the contract asks for.
        prepare_into: turns a study's files into slices in a folder, by the contract; run confined.
        explain: why each series is taken or not; run confined.
        takes_tiles: of pictures, see `InputContract.tile_px`.
        steps: what is done, in order.
        words: what the report calls region, procedure and finding.
    """

    name: str
    sop_classes: frozenset[str]
    classes: tuple[str, str]
    has_wanted: Callable[[Sequence[Path], InputContract], bool]
    prepare_into: PrepareInto
    explain: Callable[[Sequence[Path], InputContract], tuple[SeriesChoice, ...]]
    takes_tiles: bool
    steps: tuple[Step, ...]
    words: Vocabulary


BRAIN_MRI = Route(
    name="brain_mri",
    sop_classes=prepare.MR,
    classes=CLASSES,
    has_wanted=prepare.has_wanted,
    prepare_into=prepare.prepare_into,
    explain=prepare.explain,
    takes_tiles=False,
    steps=STUDY,
    words=BRAIN,
)

BLOOD_SMEAR = Route(
    name="blood_smear",
    sop_classes=prepare.MICROSCOPIC | prepare.PICTURES,
    classes=CLASSES,
    has_wanted=prepare.has_smear,
    prepare_into=prepare.smear_into,
    explain=prepare.explain_smear,
    takes_tiles=True,
    steps=SMEARS,
    words=SMEAR,
)
ROUTES = (BRAIN_MRI, BLOOD_SMEAR)


class Reading(NamedTuple):
    """A route with the model that reads it."""

    route: Route
    runner: Runner


@dataclass(frozen=True, slots=True)
class Readings:
    """What a node reads.

    Attributes:
        brain: MR images.
        smear: blood smears; None where none are read.
    """

    brain: Reading
    smear: Reading | None = None

    @property
    def every(self) -> tuple[Reading, ...]:
        """All there are."""
        return (self.brain,) if self.smear is None else (self.brain, self.smear)

    def of(self, study: Study) -> Reading:
        """How a study is read: one with MR images is a brain MRI, whatever else is in it."""
        has_mr = not BRAIN_MRI.sop_classes.isdisjoint(study.sop_classes)
        if self.smear is None or has_mr:
            return self.brain
        is_smear = not BLOOD_SMEAR.sop_classes.isdisjoint(study.sop_classes)
        return self.smear if is_smear else self.brain


def route_of(contract: InputContract) -> Route:
    """The route for which a model was made."""
    return BLOOD_SMEAR if contract.is_tiled else BRAIN_MRI


def fitting_bundle(folder: Path, route: Route, trusted: Sequence[str] = ()) -> Bundle:
    """A model bundle for a route.

    Args:
        folder: of the bundle.
        route: for which it must be.
        trusted: public keys of which one must have signed it; () asks for no signature.

    Raises:
        ConfigError: it cannot be read, or is for another kind of study.
    """
    bundle = load_bundle(folder, trusted)
    if bundle.contract.is_tiled != route.takes_tiles:
        other = route_of(bundle.contract).name
        raise ConfigError(
            f"model bundle {folder} is for {other}, not for {route.name}; name one that was "
            "trained for it"
        )
    if bundle.manifest.classes != route.classes:
        raise ConfigError(
            f"model bundle {folder} tells {bundle.manifest.classes} apart, but {route.name} needs "
            f"{route.classes}; take a bundle that was trained for it"
        )
    return bundle
