"""The model bundle: a folder of weights (safetensors), bundle.yaml and CARD.md.

The digest covers the weights and everything in bundle.yaml that bears on a result, so a changed
model never passes for the one that was measured.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from msnode.classify.contract import CLASSES, Classifier, build
from msnode.classify.decision import Calibration, PatternRule, StudyRule
from msnode.errors import ConfigError
from msnode.records.images import InputContract
from msnode.records.learned_persons import LearnedPersons
from msnode.records.population import Strata
from msnode.records.results import ModelInfo
from msnode.store import bundle_files
from msnode.store.bundle_files import MANIFEST, DataSource


@dataclass(frozen=True, slots=True)
class Manifest:
    """Contents of bundle.yaml.

    Attributes:
        name: of the model, e.g. ``hybrid``.
        version: of the weights, semantic.
        architecture: name in the table of classifiers.
        arguments: of the classifier's class.
        input: the images the weights were trained on; obeyed by ``prepare``.
        pattern: how outlined lesions bear on the study's decision; null: it rests on slices alone.
        threshold: study probability from which the decision is "present".
        undetermined: half-open interval of study probabilities without a decision.
        saliency: ``locations`` where the location heads were trained, else ``grad-cam``.
        sensitivity: of the study's decision at the threshold, in [0, 1]; null: not measured.
        specificity: likewise.
        measured_on: the people, split and date behind the two.
        notice: the sentence on training data and licence that every reader of a result must see.
        translations: ``notice`` and ``measured_on`` by language (de, fr, es, nl).
        strata: in which it was measured; a study outside of them gets no decision.
        figures: everything else that was measured, as in CARD.md.
        persons: whom it learned from, hashed; None where that is not known.
        digest: sha256 hex digest; written by ``save_bundle``.
    """

    name: str
    version: str
    architecture: str
    input: InputContract
    arguments: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, str] = CLASSES
    calibration: Calibration = Calibration()  # noqa: RUF009 - frozen
    rule: StudyRule = StudyRule()  # noqa: RUF009 - frozen
    pattern: PatternRule | None = None
    threshold: float = 0.5
    undetermined: tuple[float, float] | None = None
    saliency: Literal["grad-cam", "locations"] = "grad-cam"
    sensitivity: float | None = None
    specificity: float | None = None
    measured_on: str = ""
    notice: str = ""
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    strata: Strata = Strata()  # noqa: RUF009 - frozen
    training_data: tuple[DataSource, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    persons: LearnedPersons | None = None
    digest: str = ""

    def undecided(self, network: str | None) -> str | None:
        """Why no study would get a decision; None where studies do.

        Args:
            network: digest of the lesion network; None where nothing outlines.
        """
        rule = self.pattern
        if rule is None or rule.network == network:
            return None
        if network is None:
            return (
                "classify.bundle decides by outlined lesions, but lesions.bundle is null: every "
                "study would be undetermined; name a lesion network"
            )
        return (
            "classify.bundle decides by the outlines of another lesion network than that of "
            "lesions.bundle: every study would be undetermined; use the two that belong together, "
            "or run msnode calibrate"
        )


RESULT = (
    "architecture", "arguments", "classes", "input", "calibration", "rule", "pattern",
    "threshold", "undetermined", "saliency",
)  # fmt: skip
"""The keys of bundle.yaml that bear on a result and are part of the digest.

The rest says what is known of the model: a figure or a stratum that is learned of later changes
what is written beside a result, not the result.
"""


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: the manifest and the model in float32, evaluation mode, on the CPU."""

    manifest: Manifest
    model: Classifier

    @property
    def contract(self) -> InputContract:
        """The images that the model wants."""
        return self.manifest.input

    @cached_property
    def info(self) -> ModelInfo:
        """Which model speaks, for the results."""
        m = self.manifest
        return ModelInfo(
            m.name, m.version, m.digest, m.threshold, m.undetermined,
            m.sensitivity, m.specificity, m.measured_on, m.notice, m.strata, m.translations,
        )  # fmt: skip


def save_bundle(
    folder: Path, model: Classifier, manifest: Manifest, card: str, half: bool = True
) -> Manifest:
    """Write a bundle; measure it after loading it again, as half precision rounds the weights.

    Args:
        folder: created where missing; weights that lie there are replaced.
        model: whose state is stored.
        manifest: its digest is computed here.
        card: CARD.md, the measured results in words and tables.
        half: store matrices and kernels as float16; vectors and statistics stay float32.

    Returns:
        The manifest with its digest.
    """
    return bundle_files.write(folder, model, manifest, card, RESULT, half)


def load_manifest(folder: Path) -> Manifest:
    """What a bundle says of its model, without the model: files are compared with the digest.

    Raises:
        ConfigError: names the folder, what is wrong, and the fix.
    """
    with _named(folder):
        return _read(folder)[0]


def load_bundle(folder: Path, trusted: Sequence[str] = ()) -> Bundle:
    """Read a bundle and refuse whatever does not fit together.

    Args:
        folder: of the bundle.
        trusted: public keys of minisign, of which one must have signed it; empty: nobody need.

    Raises:
        ConfigError: names the folder, what is wrong, and the fix.
    """
    with _named(folder):
        manifest, files = _read(folder, trusted)
        model = build(manifest.architecture, manifest.arguments)
        _agree(manifest, model)
        bundle_files.fill(model, files)
    return Bundle(manifest, model.eval().requires_grad_(False))


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Errors name the bundle."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"model bundle {folder}: {error}") from error


def _read(folder: Path, trusted: Sequence[str] = ()) -> tuple[Manifest, tuple[Path, ...]]:
    return bundle_files.read(folder, "classify.bundle", Manifest, RESULT, trusted)


def _agree(manifest: Manifest, model: Classifier) -> None:
    """The manifest fits the architecture and this program."""
    if problems := list(_senseless(manifest)):
        raise ConfigError(f"{MANIFEST} has errors: {'; '.join(problems)}")
    if manifest.classes != CLASSES:
        raise ConfigError(f"classes are {manifest.classes}; this version serves {CLASSES}")
    for name in ("rows", "cols", "channels", "normalisation"):
        asked, wanted = getattr(manifest.input, name), getattr(model.contract, name)
        if asked != wanted:
            raise ConfigError(
                f"input.{name} is {asked!r}, but {manifest.architecture} takes {wanted!r}; "
                "use the value it takes, or the architecture that was trained"
            )
    if manifest.saliency == "locations" and type(model).locations is Classifier.locations:
        raise ConfigError(
            f"saliency is 'locations', but {manifest.architecture} has no location head; "
            "use 'grad-cam'"
        )


def _senseless(manifest: Manifest) -> Iterator[str]:
    """Numbers with which no decision could be made."""
    if not 0 < manifest.threshold < 1:
        yield f"threshold is {manifest.threshold}; use a probability between 0 and 1"
    if manifest.undetermined is not None:
        low, high = manifest.undetermined
        if not 0 <= low < high <= 1:
            yield f"undetermined is [{low}, {high}]; use two probabilities, the lower one first"
    for name in ("calibration", "rule", "pattern"):
        rule = getattr(manifest, name)
        for field_name, number in (asdict(rule) if rule is not None else {}).items():
            if isinstance(number, float) and not math.isfinite(number):
                yield f"{name}.{field_name} is {number}; use a finite number"
    for name in ("sensitivity", "specificity"):
        number = getattr(manifest, name)
        if number is not None and not 0 <= number <= 1:
            yield f"{name} is {number}; use a part from 0 to 1, or null"
