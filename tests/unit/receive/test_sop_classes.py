"""What is accepted."""

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from msnode.receive.dicom.sop_classes import COMPANIONS, MR, PICTURES, accepted, contexts, right


def test_a_class_is_analysed_or_a_companion() -> None:
    assert not (MR | PICTURES) & COMPANIONS
    assert MRImageStorage in MR
    assert CTImageStorage not in accepted(())


def test_the_configuration_adds_classes() -> None:
    assert accepted(["CTImageStorage"]) == MR | PICTURES | COMPANIONS | {CTImageStorage}


@pytest.mark.parametrize(
    ("name", "needed"),
    [("1.2.840.10008.1.1", "echo"), (MRImageStorage, "store"), ("1.2.840.10008.1.20.1", None)],
)
def test_the_right_that_a_class_needs(name: str, needed: str | None) -> None:
    assert right(name) == needed


def test_every_class_can_be_proposed_in_every_syntax() -> None:
    offered = contexts(accepted(()))
    assert len(offered) == 1 + len(MR | PICTURES | COMPANIONS) <= 128
    names = [context.abstract_syntax for context in offered]
    assert len(set(names)) == len(names)
    assert all(len(context.transfer_syntax) == 16 for context in offered[1:])
