"""Routes: how studies are read. Each kind of study is one `Route`.

A second kind (blood smears, say) would be another object here: its images, how they become slices,
its steps, and the words of its report. The classifier comes from the bundle; the route's
preparation and words must fit the bundle's input contract and classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid

from msnode import prepare
from msnode.classify import CLASSES, Bundle, load_bundle
from msnode.errors import ConfigError
from msnode.flow.analysis import PrepareInto
from msnode.flow.steps import STUDY, Step
from msnode.records.images import InputContract
from msnode.records.vocabulary import BRAIN, Vocabulary


@dataclass(frozen=True, slots=True)
class Route:
    """How one kind of study is read.

    Attributes:
        name: as in configuration and metrics.
        sop_classes: a study with images of one of these (PS3.4 B.5) is of this kind.
        classes: those that a bundle for this route must tell apart, the finding last.
        has_wanted: whether files, one per series, include one that the contract asks for.
        prepare_into: turns a study's files into slices in a folder, by the contract; run confined.
        steps: what is done, in order.
        words: what the report calls region, procedure and finding.
    """

    name: str
    sop_classes: frozenset[str]
    classes: tuple[str, str]
    has_wanted: Callable[[Sequence[Path], InputContract], bool]
    prepare_into: PrepareInto
    steps: tuple[Step, ...]
    words: Vocabulary


BRAIN_MRI = Route(
    name="brain_mri",
    sop_classes=frozenset(
        {
            uid.MRImageStorage,
            uid.EnhancedMRImageStorage,
            uid.EnhancedMRColorImageStorage,
            uid.LegacyConvertedEnhancedMRImageStorage,
        }
    ),
    classes=CLASSES,
    has_wanted=prepare.has_wanted,
    prepare_into=prepare.prepare_into,
    steps=STUDY,
    words=BRAIN,
)


def fitting_bundle(folder: Path, route: Route) -> Bundle:
    """A model bundle for a route.

    Raises:
        ConfigError: it cannot be read, or is for another kind of study.
    """
    bundle = load_bundle(folder)
    if bundle.manifest.classes != route.classes:
        raise ConfigError(
            f"model bundle {folder} tells {bundle.manifest.classes} apart, but {route.name} needs "
            f"{route.classes}; take a bundle that was trained for it"
        )
    return bundle
