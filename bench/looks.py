"""Whether the same scan, made otherwise, gets the same answer.

Each scan is changed as another scanner, protocol or position would have made it, and goes the whole
way: prepared, outlined, classified, decided. Printed are the study's probability (and that of its
slices alone, in brackets), and how far any change moves it. The goal is 0.10 at most, and that no
decision flips.

    python -m bench.looks SCAN.nii.gz ... [--bundle models/hybrid] [--lesions models/lesions]
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage

from msnode import lesions
from msnode.classify import Runner, load_bundle
from msnode.classify.decision import sigmoid, study_logit
from msnode.config import BUNDLE, Classify
from msnode.errors import NotAnalysable
from msnode.flow.lesion_analysis import outlined
from msnode.lesions.brain import brain_mask
from msnode.lesions.find import from_ras, to_ras
from msnode.prepare.nifti import load_scan
from msnode.prepare.slices import volume_slices
from msnode.records.images import Float32Array, Float64Array

Scan = tuple[Float32Array, Float64Array]
"""(i, j, k) voxels and the affine to RAS mm."""
THIN_MM, THICK_MM = 1.0, 6.0


def _tilted(degrees: float, axis: int) -> Callable[[Scan], Scan]:
    """The head turned about its middle, the scanner's slices as they were."""

    def change(scan: Scan) -> Scan:
        voxels, affine = scan
        angle = np.radians(degrees)
        one, other = (at for at in range(3) if at != axis)
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        grid = affine[:3, :3]
        matrix = np.linalg.inv(grid) @ turn @ grid
        middle = (np.array(voxels.shape) - 1) / 2
        turned = ndimage.affine_transform(voxels, matrix, middle - matrix @ middle, order=1)
        return turned, affine

    return change


def _gamma(power: float) -> Callable[[Scan], Scan]:
    def change(scan: Scan) -> Scan:
        voxels, affine = scan
        highest = _highest(voxels)
        return highest * (np.clip(voxels, 0, None) / highest) ** power, affine

    return change


def _highest(voxels: Float32Array) -> float:
    return max(float(np.quantile(voxels, 0.999)), 1e-6)


def _noisy(scan: Scan) -> Scan:
    """4 % of the brightest, as magnitudes have it."""
    voxels, affine = scan
    noise = np.random.default_rng(0).normal(0, 0.04 * _highest(voxels), (2, *voxels.shape))
    return np.hypot(voxels + noise[0], noise[1]).astype(np.float32), affine


def _without_skull(scan: Scan) -> Scan:
    voxels, affine = scan
    brain: NDArray[np.bool_] = from_ras(brain_mask(to_ras(voxels, affine)), affine)
    return np.where(brain, voxels, 0).astype(np.float32), affine


def _sliced(mm: float) -> Callable[[Scan], Scan]:
    """Slices of another thickness along the third axis, averaged or interpolated."""

    def change(scan: Scan) -> Scan:
        voxels, affine = scan
        had = float(np.linalg.norm(affine[:3, 2]))
        count = max(2, round(voxels.shape[2] * had / mm))
        averaged = ndimage.uniform_filter1d(voxels, max(1, round(mm / had)), axis=2)
        places = (np.arange(count) + 0.5) * voxels.shape[2] / count - 0.5
        made = ndimage.map_coordinates(
            averaged, np.meshgrid(*map(np.arange, voxels.shape[:2]), places, indexing="ij"),
            order=1, mode="nearest",
        )  # fmt: skip
        step = voxels.shape[2] / count
        new = affine.copy()
        new[:, 3] = affine @ [0, 0, 0.5 * step - 0.5, 1]
        new[:, 2] *= step
        return made, new

    return change


def _sagittal(scan: Scan) -> Scan:
    """Thin slices that lie from left to right, as of a 3-D FLAIR."""
    voxels, affine = _sliced(THIN_MM)(scan)
    order = [1, 2, 0]
    return np.ascontiguousarray(voxels.transpose(order)), affine[:, [*order, 3]]


CHANGES: dict[str, Callable[[Scan], Scan]] = {
    "as it is": lambda scan: scan,
    "mirrored": lambda scan: (scan[0][::-1], scan[1]),
    "gamma 0.8": _gamma(0.8),
    "gamma 1.2": _gamma(1.2),
    "noise 4 %": _noisy,
    "brightness x 7.3": lambda scan: (7.3 * scan[0], scan[1]),
    "without skull": _without_skull,
    "slices of 1 mm": _sliced(THIN_MM),
    "slices of 6 mm": _sliced(THICK_MM),
    "3-D, sagittal": _sagittal,
    "chin up by 7 degrees": _tilted(7, 0),
    "chin down by 7 degrees": _tilted(-7, 0),
    "leaning by 7 degrees": _tilted(7, 1),
    "turned by 7 degrees": _tilted(7, 2),
}


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
    image = cast(SpatialImage, nibabel.load(path))
    scan = np.asarray(image.dataobj, np.float32), np.array(image.affine)
    print(f"\n{path.name.removesuffix('.nii.gz')}", flush=True)
    moved, said, first = 0.0, set(), 0.0
    for name, change in CHANGES.items():
        voxels, affine = change(scan)
        file = folder / "scan.nii.gz"
        nibabel.save(nibabel.Nifti1Image(np.asarray(voxels, np.float32), affine), file)
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
