"""Scores and finding on disk: steps of the workflow hand on paths, never arrays."""

from pathlib import Path

import safetensors.numpy

from msnode.records.results import Finding, ModelInfo, Scores
from msnode.store.files import decode, encode, replacing

SCORES, FINDING, INFO = "scores.safetensors", "finding.json", "model.json"


def save_scores(scores: Scores, finding: Finding, folder: Path) -> None:
    """Write ``scores.safetensors`` and ``finding.json``, durably.

    Each file is complete or absent, and the second is there only when the first is.
    """
    tensors = {"probabilities": scores.probabilities, "saliency": scores.saliency}
    with replacing(folder / SCORES) as file:
        file.write(safetensors.numpy.save(tensors))
    with replacing(folder / FINDING) as file:
        file.write(encode(finding))


def is_saved(folder: Path) -> bool:
    """Whether what `save_scores` wrote is there, all of it."""
    return (folder / FINDING).exists() and (folder / SCORES).exists()


def load_scores(folder: Path) -> tuple[Scores, Finding]:
    """Read what `save_scores` wrote.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    finding = decode((folder / FINDING).read_bytes(), Finding)
    tensors = safetensors.numpy.load_file(folder / SCORES)
    return Scores(tensors["probabilities"], tensors["saliency"]), finding


def save_info(info: ModelInfo, folder: Path) -> None:
    """Write ``model.json``, durably: for whom the slices are prepared, and who answers."""
    with replacing(folder / INFO) as file:
        file.write(encode(info))


def load_info(folder: Path) -> ModelInfo | None:
    """Read what `save_info` wrote; None where it is not there."""
    file = folder / INFO
    return decode(file.read_bytes(), ModelInfo) if file.exists() else None
