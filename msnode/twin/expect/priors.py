"""What is known of the population: the numbers of a YAML file, each with its source."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from msnode.config.reading import Reader
from msnode.config.rules import contradictions
from msnode.errors import ConfigError
from msnode.store.yaml_files import read_yaml

SHIPPED = Path(__file__).with_name("priors.yaml")


def finite(value: float) -> str | None:
    """A number of a size that lesions, millilitres and points can have."""
    return None if -1000 <= value <= 1000 else f"{value} is out of range; use -1000 to 1000"


def positive(value: float) -> str | None:
    """A spread, or a mean that cannot be 0."""
    return None if 0.001 <= value <= 1000 else f"{value} is out of range; use 0.001 to 1000"


def part(value: float) -> str | None:
    """A part of a whole."""
    return None if 0 <= value <= 1 else f"{value} is out of range; use 0 to 1"


@dataclass(frozen=True, slots=True)
class Number:
    """A number of any sign, and where it is from."""

    value: Annotated[float, finite]
    source: str


@dataclass(frozen=True, slots=True)
class Positive:
    """A number above 0, and where it is from."""

    value: Annotated[float, positive]
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """A number from 0 to 1, and where it is from."""

    value: Annotated[float, part]
    source: str


@dataclass(frozen=True, slots=True)
class RatePrior:
    """New lesions: the rates of people are Gamma distributed.

    Attributes:
        mean: new lesions a year.
        shape: of the Gamma distribution.
    """

    mean: Positive
    shape: Positive


@dataclass(frozen=True, slots=True)
class LinePrior:
    """What grows along a line, one for each person.

    Attributes:
        mean: at any visit, over people; ml, or points.
        spread: its standard deviation.
        slope: mean growth a year.
        slope_spread: its standard deviation between people.
        wander: standard deviation by which one strays from the line within a year.
        error: standard deviation of one measurement.
    """

    mean: Positive
    spread: Positive
    slope: Number
    slope_spread: Positive
    wander: Positive
    error: Positive


@dataclass(frozen=True, slots=True)
class LoadPrior(LinePrior):
    """Of the lesion load, ml.

    Attributes:
        error_part: standard deviation of one measurement as a part of the load, beside ``error``.
    """

    error_part: Part


@dataclass(frozen=True, slots=True)
class Priors:
    """The file.

    Attributes:
        kept_at_change: part of what was learned that a change of treatment leaves.
        new_lesions: see there.
        load: likewise.
        edss: likewise.
    """

    kept_at_change: Part
    new_lesions: RatePrior
    load: LoadPrior
    edss: LinePrior

    @property
    def digest(self) -> str:
        """Hash of the numbers and sources: names the file that a forecast was made with."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def load_priors(path: Path | None = None) -> Priors:
    """Read the priors.

    Args:
        path: of a site's own file; None for that of the program.

    Raises:
        ConfigError: lists every problem at once, each with its key and the fix.
    """
    path = path or SHIPPED
    reader = Reader(path.parent)
    priors: Priors = reader.read(Priors, read_yaml(path), "")
    problems = [f"{key or 'the file'}: {what}" for key, what in reader.problems]
    # what stands in for a mistake would only be complained of again
    problems = problems or list(contradictions(priors))
    if problems:
        raise ConfigError(f"{path} has errors:\n  " + "\n  ".join(problems))
    return priors
