"""The settings of what reads a study, and of what is expected of the patient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msnode.config.constraints import PublicKey, Within

Urgent = Literal["new_lesions", "enlarging_lesions", "pattern_in_new_patient"]

MODELS = Path(__file__).resolve().parents[2] / "models"
BUNDLE, LESIONS = MODELS / "hybrid", MODELS / "lesions"
"""The bundles beside the sources; a packaged installation names its own in the configuration."""


@dataclass(frozen=True, slots=True)
class Models:
    """Which bundles the node loads."""

    keys: tuple[PublicKey, ...] = ()
    """Public keys of minisign (Ed25519), a line each: a bundle is loaded only if one of them signed
    it. Empty: signatures are not looked at."""


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
class Outline:
    """The network that outlines lesions; it runs on the classifier's device."""

    bundle: Path | None = LESIONS
    """Folder of its bundle; a relative path counts from the configuration file. Null: results say
    nothing of lesions."""


@dataclass(frozen=True, slots=True)
class Priority:
    """The suggested reading priority."""

    urgent_if: tuple[Urgent, ...] = ("new_lesions", "enlarging_lesions", "pattern_in_new_patient")
    """What makes a study urgent: lesions that are new or that grew since an earlier scan, or the
    pattern in somebody without earlier studies. The first that holds is given as the reason."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What is expected of a patient before his own scans say more."""

    priors: Path | None = None
    """YAML file with what is known of the population, each number with its source; a relative path
    counts from the configuration file. Null: the one that comes with the program."""
    msss: Path | None = None
    """CSV with the published table of the MSSS, or one of the site's own: the disability of people
    whose disease lasted as long. Null: the score is unknown."""
    armss: Path | None = None
    """CSV with the table of the ARMSS, by age, likewise."""
