"""Two studies of which more is known than their images: what a result is to be held against."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy import ndimage

from msnode.sample.dicom_series import FLAIR, Acquisition, Identity, study_uid, write_series

HERE = Path(__file__).parent


@dataclass(frozen=True)
class KnownStudy:
    """A scan of the package, its header, and what is known of it.

    Attributes:
        name: for folders and headings.
        person: as the indexes of the training data call them.
        origin: where the scan is from.
        known: of the person, in a few words.
        nifti: the FLAIR.
        mask: lesions as a person outlined them, on the FLAIR's grid; None where there are none.
    """

    name: str
    person: str
    origin: str
    known: str
    nifti: Path
    identity: Identity
    acquisition: Acquisition = FLAIR
    mask: Path | None = None

    def write(self, folder: Path) -> list[Path]:
        """Write it as a DICOM series; the files are in the order of the volume's third axis."""
        return write_series(self.nifti, folder, self.acquisition, self.identity)

    @cached_property
    def outlined(self) -> NDArray[np.bool_] | None:
        """(columns, rows, slices) True where a person saw a lesion; None where nobody outlined."""
        if self.mask is None:
            return None
        return np.asanyarray(cast(SpatialImage, nibabel.load(self.mask)).dataobj) > 0

    @property
    def lesions(self) -> tuple[int, float]:
        """Number and volume (ml) of the outlined lesions; what touches at a corner is one."""
        if self.outlined is None or self.mask is None:
            return 0, 0.0
        zooms = cast(SpatialImage, nibabel.load(self.mask)).header.get_zooms()
        _, count = ndimage.label(self.outlined, np.ones((3, 3, 3)))
        return int(count), float(self.outlined.sum() * np.prod(zooms) / 1000)


TABRIZ = KnownStudy(
    "tabriz",
    "tabriz-105755",
    "Tabriz, Iran (Toshiba, 1.5 T)",
    "a woman of 38 with multiple sclerosis, whose lesions were outlined by hand",
    HERE / "tabriz_flair.nii.gz",
    Identity("DEMO^TABRIZ", "MSNODE-DEMO-1", study_uid("tabriz"), sex="F", age="038Y"),
    Acquisition("FLAIR tra", ("SE", "IR"), "SK", 9000, 120, 2500, manufacturer="TOSHIBA"),
    HERE / "tabriz_lesions.nii.gz",
)
LJUBLJANA = KnownStudy(
    "ljubljana",
    "ljubljana-01",
    "Ljubljana, Slovenia (1.5 T)",
    "a person with multiple sclerosis, whose lesions nobody outlined",
    HERE / "ljubljana_flair.nii.gz",
    Identity("DEMO^LJUBLJANA", "MSNODE-DEMO-2", study_uid("ljubljana")),
)
