"""Fits how outlined lesions bear on a classifier's study decision, and measures what that gives."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from msnode import lesions
from msnode.classify import Bundle, Manifest, load_bundle
from msnode.classify.bundle import RESULT
from msnode.classify.decision import StudyRule, slice_probabilities, study_logit
from msnode.errors import ConfigError
from msnode.learn.data.examples import Examples, load
from msnode.learn.data.index_csv import Row, read
from msnode.learn.data.ras_nifti import load as load_volume
from msnode.learn.data.splits import Split
from msnode.learn.evaluate import figures_of_merit, pattern_fit
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.evaluate.pattern_fit import NUMBERS, Measured
from msnode.learn.runs import directory
from msnode.learn.train import checkpoints, end_to_end, loop
from msnode.learn.train.end_to_end import Progress, Task
from msnode.lesions.outline import LESION
from msnode.lesions.pattern import pattern, places
from msnode.lesions.unet import Unet
from msnode.records.images import Float64Array
from msnode.records.lesions import LesionPattern
from msnode.records.uid_hash import uid_hash
from msnode.store import bundle_files
from msnode.store.files import decode, replacing

WAYS: dict[str, tuple[str, ...]] = {
    "slices alone": ("classifier",),
    "number of lesions alone (naive)": ("count",),
    "lesions": ("count", "place"),
    "lesions and slices": NUMBERS,
}
"""What is compared; the last is what a bundle gets."""
SHOWN = ("auc", "sensitivity", "specificity", "brier", "ece")
TOP_MM = 20.0
"""Of the head, whose highest slices count: three slices of those that the shipped model knows."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was measured of one row of the index.

    Attributes:
        seen: its lesions; None where the atlas does not fit.
        classifier: study logit of its slices.
    """

    path: str
    person: str
    site: str
    label: str
    is_twin: bool
    seen: LesionPattern | None
    classifier: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a run measured.

    Attributes:
        folder: the run directory; ``folder/bundle`` has the rule.
        figures: by way (`WAYS`) and measure, of persons that the way was not fitted to.
        elsewhere: likewise, of sites that it was not fitted to.
        unplaced: files that the atlas does not fit.
    """

    folder: Path
    figures: dict[str, dict[str, Figure]]
    elsewhere: dict[str, dict[str, Figure]]
    unplaced: tuple[str, ...]


def calibrate(
    index: Path,
    out: Path,
    classifier: Path,
    network: Path,
    positive: str,
    folds: Path | None,
    maps: Path | None,
    classifiers: Path | None,
    progress: Progress,
) -> Calibrated:
    """Measure every scan, fit the rule, and write a bundle that has it.

    Args:
        index: CSV of scans with label and site; rows with the role ``train`` are fitted to only.
        out: the run directory; what was measured of a scan stays there, for a run that goes on.
        classifier: folder of the classifier's bundle.
        network: folder of the lesion network's.
        positive: the label of people with MS.
        folds: a cross-validation of the lesion network: its persons are outlined by their fold's.
        maps: folder of places PERSON.nii.gz, for those whose own masks are in the shipped one.
        classifiers: CSV of person and bundle: for whom another bundle of the classifier's recipe
            is asked, one that has not learned from that person.
        progress: told of every scan.

    Raises:
        ConfigError: bundles or scans cannot be used, or there is one class only.
    """
    rows, model = read(index), load_bundle(classifier)
    if len({row.label == positive for row in rows}) < 2:
        raise ConfigError(f"{index}: needs rows with the label {positive!r} and with others")
    others = _classifiers(classifiers) if classifiers is not None else {}
    rule = lesions.load(network)
    out.mkdir(parents=True, exist_ok=True)
    outlines = _outlined(rows, out / "outlines", rule, folds, maps, progress)
    slices = _slice_logits(rows, model, others, out / "prepared", progress)
    scans = [
        Scan(row.path.name, row.person, row.site, row.label, row.role == "train", seen, slices[k])
        for k, (row, seen) in enumerate(zip(rows, outlines, strict=True))
    ]
    _write_csv(out / "scans.csv", scans)
    data, sites = _measured(scans, positive)
    found = Calibrated(
        out,
        {way: _figures(data, pattern_fit.by_others(data, of)) for way, of in WAYS.items()},
        {
            way: _figures(data, pattern_fit.by_other_sites(data, sites, of))
            for way, of in WAYS.items()
        },
        tuple(scan.path for scan in scans if scan.seen is None),
    )
    _write_probabilities(out / "predictions.csv", scans, data)
    directory.write_json(out / "metrics.json", _plain(found))
    weights = pattern_fit.fit(data, WAYS["lesions and slices"])
    made = replace(_by_mm(model.manifest), pattern=pattern_fit.rule(weights, rule.manifest.digest))
    _write_bundle(classifier, out / "bundle", made)
    return found


def _by_mm(manifest: Manifest) -> Manifest:
    """The manifest with a rule that does not depend on how thick slices are."""
    rule = manifest.rule
    return replace(manifest, rule=StudyRule(rule.top, rule.slope, rule.bias, TOP_MM))


def _outlined(
    rows: Sequence[Row],
    cache: Path,
    bundle: lesions.Bundle,
    folds: Path | None,
    maps: Path | None,
    progress: Progress,
) -> list[LesionPattern | None]:
    """The lesions of every row; from the cache where they were outlined before."""
    cache.mkdir(exist_ok=True)
    networks = _networks(folds, bundle) if folds is not None else {}
    found = []
    for number, row in enumerate(rows, 1):
        file = cache / f"{uid_hash(str(row.path))}.json"
        if not file.exists():
            own = networks.get(row.person, bundle)
            seen = _pattern(row, own, maps)
            with replacing(file) as out:
                out.write(json.dumps(None if seen is None else asdict(seen)).encode())
        stored = file.read_bytes()
        found.append(None if stored == b"null" else decode(stored, LesionPattern))
        progress("outlining", number, len(rows))
    return found


def _pattern(row: Row, bundle: lesions.Bundle, maps: Path | None) -> LesionPattern | None:
    """One scan's lesions."""
    volume = load_volume(row.path)
    found = lesions.find(volume.voxels.astype(np.float32), volume.affine, bundle)
    own = maps / f"{row.person}.nii.gz" if maps is not None else None
    if found.fit is None or own is None or not own.exists():
        return found.pattern
    return pattern(found.labels == LESION, len(found.lesions), volume, found.fit, places(own))


def _networks(folds: Path, bundle: lesions.Bundle) -> dict[str, lesions.Bundle]:
    """By person, the network of the fold that did not learn from that person."""
    found: dict[str, lesions.Bundle] = {}
    for folder in sorted(folds.glob("fold-*")):
        told = json.loads((folder / "persons.json").read_bytes())
        model = Unet(bundle.manifest.widths)
        model.load_state_dict(checkpoints.averaged(folder / "model.safetensors"))
        manifest = replace(bundle.manifest, threshold=told["threshold"])
        own = lesions.Bundle(manifest, model.fused())
        found |= {one["person"]: own for one in told["persons"]}
    if not found:
        raise ConfigError(f"{folds}: holds no finished folds of msnode crossval --preset lesions")
    return found


def _classifiers(file: Path) -> dict[str, Bundle]:
    """By person, the classifier that has not learned from that person.

    Raises:
        ConfigError: the CSV has other columns, or names a folder that is no bundle.
    """
    with file.open(newline="", encoding="utf-8") as text:
        records = list(csv.DictReader(text))
    if any(not {"person", "bundle"} <= record.keys() for record in records):
        raise ConfigError(f"{file}: needs the columns person and bundle")
    folders = {record["bundle"] for record in records}
    bundles = {folder: load_bundle(Path(folder)) for folder in folders}
    return {record["person"]: bundles[record["bundle"]] for record in records}


def _slice_logits(
    rows: Sequence[Row],
    usual: Bundle,
    others: dict[str, Bundle],
    cache: Path,
    progress: Progress,
) -> list[float]:
    """What the slices of every row say of its study, by the bundle that is asked."""
    asked = [others.get(row.person, usual) for row in rows]
    found = np.zeros(len(rows))
    for bundle in {id(one): one for one in asked}.values():
        own = [n for n, one in enumerate(asked) if one is bundle]
        found[own] = _logits_by([rows[n] for n in own], bundle, cache, progress)
    return found.tolist()


def _logits_by(rows: Sequence[Row], model: Bundle, cache: Path, progress: Progress) -> list[float]:
    """Likewise, by one bundle."""
    done, manifest = iter(range(1, len(rows) + 1)), _by_mm(model.manifest)
    examples = load(
        rows, model.contract, cache, lambda _: progress("preparing", next(done), len(rows))
    )
    everything, none = np.arange(len(examples.rows)), np.zeros(0, np.int64)
    labels = np.zeros(len(everything), np.int64)
    split = Split("calibrate", none, none, everything)
    task = Task(
        examples.pixels, labels, examples.lesions, examples.masked, split.train, split.validation
    )
    logits = end_to_end.predict(model.model.to(loop.device()), task, everything)
    return [_study(examples, logits, number, manifest) for number in range(len(rows))]


def _study(examples: Examples, logits: Float64Array, number: int, manifest: Manifest) -> float:
    """One row's study logit."""
    own = examples.rows == number
    pair = np.stack([np.zeros(own.sum()), logits[own]], axis=1)
    distance = float(np.median(examples.acquisition[own, 1]))
    return study_logit(slice_probabilities(pair, manifest.calibration), manifest.rule, distance)


def _measured(scans: Sequence[Scan], positive: str) -> tuple[Measured, NDArray[np.str_]]:
    """Numbers for the fit, and the site of each."""
    placed = [(scan, scan.seen) for scan in scans if scan.seen is not None]
    numbers = np.array([pattern_fit.row(seen, scan.classifier) for scan, seen in placed])
    labels = np.array([scan.label == positive for scan, _ in placed], np.int64)
    groups = [f"{scan.site} {scan.label == positive}" for scan, _ in placed]
    data = Measured(
        numbers,
        labels,
        np.array([scan.person for scan, _ in placed]),
        np.array(groups),
        np.array([not scan.is_twin for scan, _ in placed]),
    )
    return data, np.array([scan.site for scan, _ in placed])


def _figures(data: Measured, probabilities: Float64Array) -> dict[str, Figure]:
    """Of the scans that are no twins, and that were given a probability."""
    own = data.tested & ~np.isnan(probabilities)
    measured = figures_of_merit.measure(
        data.labels[own], probabilities[own], data.persons[own].tolist()
    )
    return {name: measured[name] for name in SHOWN}


def _write_csv(file: Path, scans: Sequence[Scan]) -> None:
    """A row a scan."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        names = "count", "place"
        writer.writerow(("path", "person", "site", "label", "twin", *names, "classifier"))
        for one in scans:
            seen = [getattr(one.seen, name, "") for name in names]
            about = one.path, one.person, one.site, one.label, one.is_twin
            writer.writerow((*about, *seen, f"{one.classifier:.4f}"))


def _write_probabilities(file: Path, scans: Sequence[Scan], data: Measured) -> None:
    """A row a placed scan: its probability by every way, fitted without the person."""
    placed = [scan for scan in scans if scan.seen is not None]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "person", "label", "twin", *WAYS))
        found = [pattern_fit.by_others(data, of) for of in WAYS.values()]
        for one, *values in zip(placed, *found, strict=True):
            numbers = (f"{value:.4f}" for value in values)
            writer.writerow((one.path, one.person, one.label, one.is_twin, *numbers))


def _plain(found: Calibrated) -> dict[str, object]:
    """For metrics.json."""
    return {
        "by_others": {way: figures_of_merit.plain(of) for way, of in found.figures.items()},
        "by_other_sites": {way: figures_of_merit.plain(of) for way, of in found.elsewhere.items()},
        "unplaced": list(found.unplaced),
    }


def _write_bundle(source: Path, folder: Path, manifest: Manifest) -> None:
    """The same weights and card, with the rule and a new digest; what was measured is out of date.

    Figures of the old rule would be read as this one's, so they are left out.
    """
    folder.mkdir(exist_ok=True)
    for file in (*bundle_files.weight_files(source), source / bundle_files.CARD):
        shutil.copyfile(file, folder / file.name)
    bare = replace(manifest, sensitivity=None, specificity=None, measured_on="", translations={})
    written = bundle_files.plain(bare)
    files = bundle_files.weight_files(folder)
    written["digest"] = bundle_files.digest(written, RESULT, files)
    text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True)
    (folder / bundle_files.MANIFEST).write_text(text, encoding="utf-8")
