"""A dataset of which only the head is in Explicit VR, as its transfer syntax says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from msnode import prepare
from tests.unit.prepare.series import FLAIR


def test_what_turns_implicit_behind_the_uids_is_read(
    sample_study: Sequence[Path], tmp_path: Path
) -> None:
    """Some routers edit the head of a dataset and leave the rest as it came."""
    mixed = []
    for path in sample_study:
        dataset = pydicom.dcmread(path)
        start = len(path.read_bytes()) - len(_encoded(dataset, implicit=False))
        late = Dataset()
        late.update({tag: dataset.pop(tag) for tag in list(dataset.keys()) if tag > 0x0020000E})
        mixed.append(tmp_path / path.name)
        head = path.read_bytes()[:start] + _encoded(dataset, implicit=False)
        mixed[-1].write_bytes(head + _encoded(late, implicit=True))
    one, other = prepare.prepare(sample_study, FLAIR), prepare.prepare(mixed, FLAIR)
    assert np.array_equal(one.slices.pixels, other.slices.pixels)


def _encoded(dataset: Dataset, implicit: bool) -> bytes:
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = implicit, True
    write_dataset(stream, dataset)
    return stream.getvalue()
