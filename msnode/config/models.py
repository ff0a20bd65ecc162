"""The settings of what reads a study, and of what is expected of the patient."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msnode.config.constraints import Count, Label, PublicKey, Seconds, Within

Urgent = Literal["new_lesions", "enlarging_lesions", "pattern_in_new_patient"]

MODELS = Path(__file__).resolve().parents[2] / "models"
BUNDLE, LESIONS = MODELS / "hybrid", MODELS / "lesions"
"""The bundles beside the sources; a packaged installation names its own in the configuration."""
BACKLOG = 1000
"""A month of a scanner that does thirty heads a day."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A bundle that reads each study as well, after the one in force; nothing of it is sent."""

    name: Label
    """For commands, pages and reports; unique."""
    bundle: Path
    """Folder of the model bundle; a relative path counts from the configuration file."""
    memory_bytes: Annotated[int, Within(2**28)] = 4 * 1024**3
    """More for one study, and the study is not compared."""
    time_s: Seconds = 600.0
    """More for one study, and it is not compared. One core; time for which others have the
    processor does not count, up to ten times as much."""


@dataclass(frozen=True, slots=True)
class Smears:
    """Blood smears: microscopic images, and photographs whose header says that they show one."""

    bundle: Path
    """Folder of the model bundle; a relative path counts from the configuration file."""
    secondary_captures: bool = False
    """Whether Secondary Captures count as well, by the same rule, in studies without MR images."""


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
    evidence: Path | None = None
    """What `msnode shadow evidence` wrote of this bundle before it was put in force: with it the
    node starts with that bundle only. A relative path counts from the configuration file."""
    shadow: tuple[Shadow, ...] = ()
    """Bundles that are compared with the one in force (docs/shadow.md); empty: none."""
    shadow_backlog: Count = BACKLOG
    """Of each, so many studies may wait for their turn; the oldest beyond that are not compared."""
    smears: Smears | None = None
    """Null: images of blood smears are stored and start no analysis."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the first GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where the device is faster with it and decides the same."""
    batch: Annotated[int, Within(1, 4096)] = 32
    """Slices at once; the memory limit of a small GPU."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """CPU threads; 0: as many as there are cores."""

    def contradictions(self) -> Iterator[str]:
        """Shadows that cannot be told apart, or that are no others; a bound of nothing."""
        for name, count in Counter(one.name for one in self.shadow).items():
            if count > 1:
                yield f"shadow: {count} are called {name!r}; give each a name of its own"
        places = Counter([self.bundle.resolve(), *(one.bundle.resolve() for one in self.shadow)])
        for i, one in enumerate(self.shadow):
            if places[one.bundle.resolve()] > 1:
                yield f"shadow.{i}.bundle: {one.bundle} is named twice; name another, or delete it"
        if not self.shadow and self.shadow_backlog != BACKLOG:
            yield "shadow_backlog: does nothing without shadow; delete it, or name shadows"


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
