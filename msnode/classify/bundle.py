"""The model bundle: a folder of weights (safetensors), bundle.yaml and CARD.md.

Weights may be stored in half precision and come in parts that any file host takes. The digest
covers the weights and everything in bundle.yaml that bears on a result, so a changed model never
passes for the one that was measured.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cattrs
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from msnode.classify.contract import CLASSES, Classifier, build
from msnode.classify.decision import Calibration, StudyRule
from msnode.errors import ConfigError
from msnode.records.images import InputContract
from msnode.records.population import Strata
from msnode.records.results import ModelInfo
from msnode.store.yaml_files import read_yaml

PART_BYTES = 45 * 1000 * 1000
"""Largest part of the weights: below the 50 MB at which code hosts begin to warn."""

MANIFEST, CARD = "bundle.yaml", "CARD.md"


@dataclass(frozen=True, slots=True)
class DataSource:
    """Data the weights learned from.

    Attributes:
        name: of the data set.
        licence: its licence, as the source states it.
        credit: whom the licence or good manners want named.
        use: what it served for, e.g. "training, folds 1-4".
    """

    name: str
    licence: str
    credit: str
    use: str = "training"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Contents of bundle.yaml.

    Attributes:
        name: of the model, e.g. ``hybrid``.
        version: of the weights, semantic.
        architecture: name in the table of classifiers.
        arguments: of the classifier's class.
        input: the images the weights were trained on; obeyed by ``prepare``.
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
    digest: str = ""


RESULT = (
    "architecture", "arguments", "classes", "input", "calibration", "rule", "threshold",
    "undetermined", "saliency",
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
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("weights-*.safetensors"):
        old.unlink()
    parts = list(_parts(model, half))
    for number, part in enumerate(parts, 1):
        path = folder / f"weights-{number:05}-of-{len(parts):05}.safetensors"
        save_file(part, path)
        path.chmod(0o644)  # safetensors makes it private, but the service has a user of its own
    manifest = replace(manifest, digest=_digest(_plain(manifest), _weights(folder)))
    text = yaml.safe_dump(_plain(manifest), sort_keys=False, allow_unicode=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return manifest


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and refuse whatever does not fit together.

    Raises:
        ConfigError: names the folder, what is wrong, and the fix.
    """
    try:
        written = _written(folder)
        manifest, files = _manifest(written), _weights(folder)
        if (digest := _digest(written, files)) != manifest.digest:
            raise ConfigError(
                f"the digest is {digest[:12]}… but {MANIFEST} says {manifest.digest[:12]}…: "
                "weights or settings were changed; restore the folder, or train again"
            )
        model = build(manifest.architecture, manifest.arguments)
        _agree(manifest, model)
        _fill(model, files)
    except ConfigError as error:
        raise ConfigError(f"model bundle {folder}: {error}") from error
    return Bundle(manifest, model.eval().requires_grad_(False))


def _written(folder: Path) -> Any:
    """bundle.yaml as it stands."""
    try:
        return read_yaml(folder / MANIFEST)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; set classify.bundle to a folder made by `msnode train`"
        ) from error


def _manifest(written: Any) -> Manifest:
    """bundle.yaml's contents, every problem listed."""
    if not isinstance(written, dict):
        raise ConfigError(f"{MANIFEST} has errors: it holds no settings")
    try:
        return cattrs.Converter(forbid_extra_keys=True).structure(written, Manifest)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        problems = cattrs.transform_error(error, format_exception=_problem)
        raise ConfigError(f"{MANIFEST} has errors: {'; '.join(problems)}") from error


def _problem(error: BaseException, kind: type | None) -> str:
    """A value's own complaint rather than "invalid value"."""
    return str(error) if type(error) is ValueError else cattrs.v.format_exception(error, kind)


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
    for name in ("calibration", "rule"):
        for field_name, number in asdict(getattr(manifest, name)).items():
            if isinstance(number, float) and not math.isfinite(number):
                yield f"{name}.{field_name} is {number}; use a finite number"
    for name in ("sensitivity", "specificity"):
        number = getattr(manifest, name)
        if number is not None and not 0 <= number <= 1:
            yield f"{name} is {number}; use a part from 0 to 1, or null"


def _fill(model: Classifier, files: tuple[Path, ...]) -> None:
    """Put the weights into the model."""
    try:
        state = {name: value for file in files for name, value in load_file(file).items()}
        bad = [name for name, value in state.items() if not value.isfinite().all()]
        if bad:
            raise ConfigError(f"{bad[0]} holds no numbers; restore the weights, or train again")
        model.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise ConfigError(
            f"the weights do not fit the architecture ({str(error)[:300]}); use the bundle that "
            "was trained with this version, or train again"
        ) from error


def _parts(model: Classifier, half: bool) -> Iterator[dict[str, Tensor]]:
    """The state dictionary in parts of at most ``PART_BYTES``."""
    part: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        kept = value.detach().cpu().contiguous()
        if half and kept.is_floating_point() and kept.ndim > 1:
            kept = kept.to(torch.float16)
        if part and sum(t.nbytes for t in part.values()) + kept.nbytes > PART_BYTES:
            yield part
            part = {}
        part[name] = kept.clone()
    yield part


def _weights(folder: Path) -> tuple[Path, ...]:
    """The parts of the weights, all of them."""
    files = tuple(sorted(folder.glob("weights-*.safetensors")))
    expected = int(files[0].stem.rpartition("-")[2]) if files else 1
    if len(files) != expected:
        raise ConfigError(
            f"{len(files)} of {expected} weight files are there; copy all weights-*.safetensors"
        )
    return files


def _digest(written: dict[str, Any], files: tuple[Path, ...]) -> str:
    """Sha256 over what bears on a result, and the weight files in order.

    It covers what bundle.yaml says, not what this version makes of it: a bundle that was written
    before a setting existed stays valid.
    """
    bearing = {name: written[name] for name in RESULT if name in written}
    digest = hashlib.sha256(json.dumps(bearing, sort_keys=True, default=str).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _plain(manifest: Manifest) -> dict[str, Any]:
    """The manifest as YAML and JSON know values: tuples become lists."""
    plain: dict[str, Any] = json.loads(json.dumps(cattrs.unstructure(manifest)))
    return plain
