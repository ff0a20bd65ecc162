"""The bundle of the network that outlines: weights, bundle.yaml, CARD.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, logit

from msnode.config import LESIONS
from msnode.errors import ConfigError
from msnode.lesions.inputs import SLAB_MM
from msnode.lesions.unet import WIDTHS, Unet
from msnode.records import population
from msnode.records.images import Float64Array
from msnode.records.learned_persons import LearnedPersons
from msnode.records.population import Acquisition, Strata
from msnode.records.sentences import Sentence
from msnode.store import bundle_files
from msnode.store.bundle_files import DataSource

SHIPPED = LESIONS
"""The bundle beside the sources."""
RESULT = ("widths", "threshold", "rating")
"""The keys of bundle.yaml that bear on a result and are part of the digest."""


CLOSE = 1e-4
"""A mean probability counts as no nearer to 0 or 1."""


@dataclass(frozen=True, slots=True)
class Rating:
    """From a lesion's mean probability to the share of such ones that a person drew as well.

    Attributes:
        slope: of the logit.
        offset: added to it.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, means: Float64Array) -> Float64Array:
        """Platt's scaling of probabilities in [0, 1]."""
        sure = np.clip(means, CLOSE, 1 - CLOSE)
        rated: Float64Array = expit(self.slope * logit(sure) + self.offset)
        return rated


@dataclass(frozen=True, slots=True)
class Manifest:
    """Contents of bundle.yaml.

    Attributes:
        name: of the model.
        version: of the weights, semantic.
        widths: of the network's levels.
        threshold: probability from which a voxel is lesion.
        rating: of found lesions.
        strata: of the training data.
        measured_on: the people, split and date behind the figures.
        notice: the sentence on training data and licence that every reader must see.
        training_data: whose scans it learned from.
        figures: what was measured, as in CARD.md.
        persons: whom it learned from, hashed; None where that is not known.
        digest: sha256 hex digest; written by ``save``.
    """

    name: str
    version: str
    widths: tuple[int, ...] = WIDTHS
    threshold: float = 0.5
    rating: Rating = Rating()
    strata: Strata = field(default_factory=Strata)
    measured_on: str = ""
    notice: str = ""
    training_data: tuple[DataSource, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    persons: LearnedPersons | None = None
    digest: str = ""


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: the manifest and the network in float32, fused, in evaluation mode."""

    manifest: Manifest
    model: Unet

    def on(self, device: str) -> "Bundle":
        """The same, computing on a device of torch's."""
        return replace(self, model=self.model.to(device))

    def doubts(self, found: Acquisition, distance_mm: float) -> tuple[Sentence, ...]:
        """What in whom and how was scanned speaks against the outlines.

        Args:
            found: what the headers say.
            distance_mm: between neighbouring slices.
        """
        agent = (Sentence("with_agent"),) if found.agent else ()  # which no stratum tells
        seen_mm = max(distance_mm, SLAB_MM)  # thinner slices are averaged before it sees them
        return (*population.missed(self.manifest.strata, found, seen_mm), *agent)


def save(folder: Path, model: Unet, manifest: Manifest, card: str) -> Manifest:
    """Write a bundle; returns the manifest with its digest."""
    return bundle_files.write(folder, model, manifest, card, RESULT, half=True)


def load(folder: Path, trusted: Sequence[str] = ()) -> Bundle:
    """Read a bundle and refuse whatever does not fit together.

    Args:
        folder: of the bundle.
        trusted: public keys of minisign, of which one must have signed it; empty: nobody need.

    Raises:
        ConfigError: names the folder, what is wrong, and the fix.
    """
    try:
        manifest, files = bundle_files.read(folder, "--model", Manifest, RESULT, trusted)
        if not 0 < manifest.threshold < 1:
            raise ConfigError(
                f"threshold is {manifest.threshold}; use a probability between 0 and 1"
            )
        model = Unet(manifest.widths)
        bundle_files.fill(model, files)
    except ConfigError as error:
        raise ConfigError(f"model bundle {folder}: {error}") from error
    return Bundle(manifest, model.fused())
