"""The settings of the two networks, and of what is made of what they say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msnode.config.constraints import Within

MODELS = Path(__file__).resolve().parents[2] / "models"
"""The bundles beside the sources; a packaged installation names its own in the configuration."""
BUNDLE = MODELS / "hybrid"


@dataclass(frozen=True, slots=True)
class Classify:
    """The classifier and the device it runs on."""

    bundle: Path = BUNDLE
    """Folder of the model bundle; a relative path counts from the configuration file."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the first GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where the device computes it natively."""
    batch: Annotated[int, Within(1, 4096)] = 32
    """Slices at once; the memory limit of a small GPU."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """CPU threads; 0: as many as there are cores."""


@dataclass(frozen=True, slots=True)
class Lesions:
    """The network that outlines lesions."""

    bundle: Path | None = MODELS / "lesions"
    """Folder of its bundle; a relative path counts from the configuration file. Null: no lesion is
    outlined, and nothing is compared with earlier scans."""


@dataclass(frozen=True, slots=True)
class Priority:
    """Which studies are suggested to be read before the others."""

    urgent_if: tuple[Literal["new_lesions", "enlarging_lesions", "pattern_in_new_patient"], ...] = (
        "new_lesions",
        "enlarging_lesions",
        "pattern_in_new_patient",
    )
    """Any of: lesions that an earlier scan did not show; lesions that have grown since; an MS
    pattern in somebody of whom the node knows no earlier study. Empty: none is urgent."""
