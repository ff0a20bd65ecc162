"""Visits as a node keeps them, small."""

from pathlib import Path

import numpy as np

from msnode.lesions import Found, Visit, kept
from msnode.lesions.kept import Kept
from msnode.records.population import Acquisition
from msnode.store.visit_images import visit_folder


def keep_visit(data: Path, study_key: str, brightness: float = 3.0) -> Path:
    """A scan of one brightness without a lesion; its folder."""
    shape = (2, 2, 2)
    found = Found(
        np.zeros(shape, np.uint8), np.zeros(shape, np.uint16), np.zeros(shape, np.float32), ()
    )
    visit = Visit(np.full(shape, brightness, np.float32), np.eye(4), found)
    known = Kept(study_key, "20240101", Acquisition(), 3.0, "d" * 64, np.eye(4), 1.0, (), None)
    kept.keep(data, 1, known, visit)
    return visit_folder(data, study_key, 1)
