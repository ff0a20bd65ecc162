"""Three visits of a patient who does not exist: a scan, and the same with lesions taken out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage

from msnode.sample.dicom_series import study_uid, write_series
from msnode.sample.known_studies import HERE, TABRIZ, KnownStudy

EARLIER = HERE / "tabriz_earlier.nii.gz"
"""(columns, rows, slices, visits): what to add to the scan for each of the earlier visits."""
EVENTS = HERE / "invented_events.csv"
"""What a clinic would know of that patient."""
PATIENT_ID = "MSNODE-DEMO-3"


@dataclass(frozen=True)
class InventedVisit(KnownStudy):
    """A visit that never was.

    Attributes:
        earlier: index into the last axis of `EARLIER`; None for the scan as it is.
        taken_out: number of outlined lesions that are not there yet.
    """

    earlier: int | None = None
    taken_out: int = 0

    def write(self, folder: Path) -> list[Path]:
        """Write it as a DICOM series; the files are in the order of the volume's third axis."""
        if self.earlier is None:
            return super().write(folder)
        scan = cast(SpatialImage, nibabel.load(self.nifti))
        changes = cast(SpatialImage, nibabel.load(EARLIER))
        voxels = np.asanyarray(scan.dataobj) + np.asanyarray(changes.dataobj)[..., self.earlier]
        folder.mkdir(parents=True, exist_ok=True)
        volume = folder.parent / f"{self.name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.int16), scan.affine), volume)
        return write_series(volume, folder, self.acquisition, self.identity)


def _visit(date: str, age: str, earlier: int | None, taken_out: int) -> InventedVisit:
    name = f"invented-{date[:4]}"
    identity = replace(
        TABRIZ.identity, patient_name="DEMO^INVENTED", patient_id=PATIENT_ID, age=age,
        study_uid=study_uid(name), study_date=date,
    )  # fmt: skip
    return InventedVisit(
        name, TABRIZ.person, f"{TABRIZ.origin}, invented visit", "invented", TABRIZ.nifti, identity,
        replace(TABRIZ.acquisition, description="INVENTED FLAIR tra"), TABRIZ.mask, earlier,
        taken_out,
    )  # fmt: skip


VISITS = (
    _visit("20220110", "036Y", 0, 6),
    _visit("20230112", "037Y", 1, 2),
    _visit("20240115", "038Y", None, 0),
)
