"""Measures a finished bundle that outlines on an index (external validation)."""

from collections.abc import Sequence
from pathlib import Path

from msnode import lesions
from msnode.errors import ConfigError
from msnode.learn.data.index_csv import read
from msnode.learn.evaluate import figures_of_merit
from msnode.learn.evaluate.overlap import Examined
from msnode.learn.evaluate.seen_persons import acquainted
from msnode.learn.runs import directory, preconditions
from msnode.learn.runs.outline_measures import examined, naive_threshold
from msnode.learn.runs.outlining_runs import Outlined, judged, write_metrics
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
    people, m = _examined(volumes, loaded, progress), loaded.manifest
    rows_of, figures = judged(people, [m.rating] * len(people))
    known = acquainted(m.persons, [one.person for one in people])
    new = [one for one in people if known.is_unseen(one.person)]
    apart = judged(new, [m.rating] * len(new))[1] if known.mixed and new else None
    outcome = Outlined(out, figures, rows_of, m.threshold, m.rating, known, apart)
    told = {
        "unseen": figures_of_merit.plain(apart) if apart else None,
        "acquaintance": known.counts,
        "warnings": known.warnings,
    }
    write_metrics(outcome, told)
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
