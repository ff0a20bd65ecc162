"""Whether the same scan, made otherwise, gets the same answer.

Each scan is changed as another scanner, protocol or position would have made it
(`msnode.learn.synth.looks`), and goes the whole way: prepared, outlined, classified, decided.
Printed are the study's probability (and that of its slices alone, in brackets), and how far any
change moves it. The goal is 0.10 at most, and that no decision flips.

    python -m bench.looks SCAN.nii.gz ... [--bundle models/hybrid] [--lesions models/lesions]
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from msnode import lesions
from msnode.classify import Runner, load_bundle
from msnode.classify.decision import sigmoid, study_logit
from msnode.config import BUNDLE, Classify
from msnode.errors import NotAnalysable
from msnode.flow.lesion_analysis import outlined
from msnode.learn.data.ras_nifti import load, save
from msnode.learn.synth.looks import CHANGES, Scan
from msnode.prepare.nifti import load_scan
from msnode.prepare.slices import volume_slices
from msnode.records.ras_volume import RasVolume

AS_IT_IS: dict[str, Callable[[Scan], Scan]] = {"as it is": lambda scan: scan}


class Reader:
    """Takes scans all the way to a decision."""

    def __init__(self, bundle: Path, network: Path) -> None:
        self._bundle = load_bundle(bundle)
        self._network = lesions.load(network)
        self._runner = Runner(self._bundle, Classify(bundle, device="cpu"))

    def read(self, path: Path) -> tuple[float, float, str]:
        """Probability of the study, that of its slices alone, and the decision."""
        volume = load_scan(path)
        slices = volume_slices(volume, self._runner.contract)
        found = outlined("", slices, volume.on_own_grid, self._network, graded=False)
        scores = self._runner.score(slices)
        finding = self._runner.decide(scores, slices, found.finding)
        rule = self._bundle.manifest.rule
        alone = study_logit(scores.probabilities, rule, slices.distance_mm)
        return finding.probability, float(sigmoid(np.array(alone))), finding.decision

    def close(self) -> None:
        self._runner.close()


def looks(path: Path, reader: Reader, folder: Path) -> tuple[float, bool]:
    """Print what becomes of a scan.

    Returns:
        The largest move of the probability, and whether a decision became its opposite.
    """
    volume = load(path)
    scan = volume.voxels.astype(np.float32), volume.affine
    print(f"\n{path.name.removesuffix('.nii.gz')}", flush=True)
    moved, said, first = 0.0, set(), 0.0
    for name, change in (AS_IT_IS | CHANGES).items():
        voxels, affine = change(scan)
        file = folder / "scan.nii.gz"
        save(RasVolume(voxels.astype(np.float32), affine), file)
        try:
            study, alone, decision = reader.read(file)
        except NotAnalysable as refusal:
            print(f"  {name:24} not analysed: {refusal.reason}", flush=True)
            continue
        first = study if name == "as it is" else first
        moved = max(moved, abs(study - first))
        said.add(decision)
        print(
            f"  {name:24} {study:6.3f} ({alone:.3f}) {study - first:+7.3f}  {decision}", flush=True
        )
    return moved, {"present", "absent"} <= said


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scans", type=Path, nargs="+", help="FLAIR, NIfTI")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--lesions", type=Path, default=lesions.SHIPPED)
    given = parser.parse_args()
    reader = Reader(given.bundle, given.lesions)
    with tempfile.TemporaryDirectory() as name:
        found = [looks(path, reader, Path(name)) for path in given.scans]
    reader.close()
    moves = [move for move, _ in found]
    print(
        f"\nmoved by at most {max(moves):.3f} (median of the scans {np.median(moves):.3f}); ",
        end="",
    )
    print(f"decisions that flipped: {sum(flipped for _, flipped in found)} of {len(found)} scans")


if __name__ == "__main__":
    main()
