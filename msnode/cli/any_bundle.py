"""Reads a bundle of either kind: of the classifier, or of the network that outlines lesions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from msnode import classify, lesions
from msnode.classify import bundle as classifier_bundle
from msnode.lesions import lesion_bundle
from msnode.records.learned_persons import LearnedPersons
from msnode.store import bundle_files

BundleKind = Literal["classifier", "lesions"]
KEYS = {"classifier": classifier_bundle.RESULT, "lesions": lesion_bundle.RESULT}
"""What of bundle.yaml the digest covers, by kind."""


@dataclass(frozen=True)
class AnyBundle:
    """A bundle of either kind, loaded and found whole.

    Attributes:
        kind: which of the two.
        folder: where it lies.
        written: bundle.yaml.
        manifest: the same, checked.
        model: float32, evaluation mode, on the CPU.
    """

    kind: BundleKind
    folder: Path
    written: dict[str, Any]
    manifest: classify.Manifest | lesion_bundle.Manifest
    model: nn.Module

    @property
    def persons(self) -> LearnedPersons | None:
        """Whom it learned from."""
        return self.manifest.persons

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.manifest.name} {self.manifest.version}"


def kind_of(written: dict[str, Any]) -> BundleKind:
    """By what bundle.yaml says: only a classifier names its architecture."""
    return "classifier" if "architecture" in written else "lesions"


def load_any(folder: Path) -> AnyBundle:
    """Read a bundle.

    Raises:
        ConfigError: it is none, or not whole.
    """
    written = bundle_files.read_manifest(folder, "the argument")
    found: classify.Bundle | lesions.Bundle
    if kind_of(written) == "classifier":
        found = classify.load_bundle(folder)
    else:
        found = lesions.load(folder)
    return AnyBundle(kind_of(written), folder, written, found.manifest, found.model)
