"""Measures a finished bundle that outlines on an index (external validation)."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from msnode import lesions
from msnode.errors import ConfigError
from msnode.learn.data.index_csv import read
from msnode.learn.evaluate import figures_of_merit, lesion_calibration, overlap
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.overlap import Agreement, Examined
from msnode.learn.evaluate.seen_persons import acquainted
from msnode.learn.runs import directory, preconditions
from msnode.learn.runs.outline_measures import examined, naive_threshold
from msnode.learn.runs.outlining_runs import Outlined
from msnode.learn.train import label_maps
from msnode.learn.train.end_to_end import Progress
from msnode.learn.train.label_maps import Labelled
from msnode.learn.train.recipe import Plan


def evaluate(bundle: Path, index: Path, out: Path, plan: Plan, progress: Progress) -> Outlined:
    """Measure a bundle, by its own threshold and rating, on the persons of an index.

    Persons that the bundle learned from are told, and measured apart from the others. The naive
    threshold of each person is chosen on the others.

    Args:
        bundle: the model's folder.
        index: CSV of the data; rows with the role ``train`` are left out.
        out: the run directory.
        plan: of the preset ``lesions``.
        progress: told of every volume.

    Raises:
        ConfigError: bundle, index or volumes are unusable.
    """
    loaded = lesions.load(bundle)
    name = f"external {loaded.manifest.digest[:12]}"
    directory.refuse_other(out, plan, index, name)
    rows = [row for row in read(index) if row.role != "train"]
    if not rows:
        raise ConfigError(f"{index}: all rows have the role train; nobody is left to measure on")
    preconditions.masked(rows, "outlines are measured against lesion masks")
    done = iter(range(1, len(rows) + 1))
    volumes = label_maps.load(rows, lambda _: progress("reading volumes", next(done), len(rows)))
    directory.start(out, plan, index, name)
    people = _examined(volumes, loaded, progress)
    found = [one.agreement(loaded.manifest.rating) for one in people]
    known = acquainted(loaded.manifest.persons, [row.person for row in found])
    unseen = [
        n for n, is_new in enumerate(known.rows([r.person for r in found], unseen=True)) if is_new
    ]
    apart = _figures(loaded, [people[n] for n in unseen]) if known.mixed and unseen else None
    outcome = Outlined(
        out,
        _figures(loaded, people),
        tuple(found),
        loaded.manifest.threshold,
        loaded.manifest.rating,
        known,
        apart,
    )
    _write(outcome)
    return outcome


def _examined(
    volumes: Sequence[Labelled], bundle: lesions.Bundle, progress: Progress
) -> list[Examined]:
    """Every volume."""
    people = []
    for number, volume in enumerate(volumes, 1):
        others = [v for v in volumes if v.row.person != volume.row.person] or [volume]
        brightness = naive_threshold(others)
        people.append(examined(bundle.model, volume, bundle.manifest.threshold, brightness))
        progress("outlining", number, len(volumes))
    return people


def _figures(bundle: lesions.Bundle, people: Sequence[Examined]) -> dict[str, Figure]:
    """Means over the volumes of some people."""
    rating = bundle.manifest.rating
    rows: list[Agreement] = [one.agreement(rating) for one in people]
    return overlap.figures(rows) | lesion_calibration.figures(people, [rating] * len(people))


def _write(outcome: Outlined) -> None:
    """``metrics.json``."""
    known = outcome.acquainted
    told = {
        "figures": figures_of_merit.plain(outcome.figures),
        "unseen": figures_of_merit.plain(outcome.unseen) if outcome.unseen else None,
        "threshold": outcome.threshold,
        "persons": [asdict(row) for row in outcome.persons],
        "acquaintance": known.counts if known else None,
        "warnings": known.warnings if known else (),
    }
    directory.write_json(outcome.folder / "metrics.json", told)
