"""The invented visits of the demo: the same scan but for the lesions that are taken out."""

from datetime import date
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage
from pydicom import dcmread
from scipy import ndimage

from msnode.sample.invented_visits import EARLIER, EVENTS, PATIENT_ID, VISITS
from msnode.sample.known_studies import TABRIZ
from msnode.twin.clinical.event_csv import Row, read


def test_the_earlier_visits_differ_beside_the_outlined_lesions_alone(tmp_path: Path) -> None:
    outlined = TABRIZ.outlined
    assert outlined is not None
    changes = np.asanyarray(cast(SpatialImage, nibabel.load(EARLIER)).dataobj)
    labels, _ = ndimage.label(outlined, np.ones((3, 3, 3)))
    near = ndimage.binary_dilation(outlined, np.ones((9, 9, 1), bool))
    for visit in VISITS[:2]:
        assert visit.earlier is not None
        there = changes[..., visit.earlier] != 0
        assert not (there & ~near).any()
        darker = changes[..., visit.earlier] < 0
        touched = [one for one in range(1, labels.max() + 1) if darker[labels == one].mean() > 0.9]
        assert len(touched) == visit.taken_out
        files = visit.write(tmp_path / visit.name)
        header = dcmread(files[0])
        assert (header.PatientID, header.StudyDate) == (PATIENT_ID, visit.identity.study_date)
        assert "INVENTED" in header.SeriesDescription


def test_every_event_is_taken_and_says_that_it_is_invented() -> None:
    rows = list(read(EVENTS, lambda patient, issuer: patient, date(2026, 1, 1)))
    assert all(isinstance(row, Row) for row in rows), rows
    assert {row.event.note for row in rows if isinstance(row, Row)} == {"invented"}
