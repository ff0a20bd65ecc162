"""What is accepted."""

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from msnode.errors import ConfigError
from msnode.receive.classes import ANALYSED, COMPANIONS, accepted, contexts


def test_a_class_is_analysed_or_a_companion() -> None:
    assert not ANALYSED & COMPANIONS
    assert MRImageStorage in ANALYSED
    assert CTImageStorage not in accepted(())


def test_the_configuration_adds_classes() -> None:
    assert accepted(["CTImageStorage"]) == ANALYSED | COMPANIONS | {CTImageStorage}


@pytest.mark.parametrize("keyword", ["CTStorage", "ExplicitVRLittleEndian", "UID", "1.2.3"])
def test_what_is_no_storage_class_is_a_configuration_error(keyword: str) -> None:
    with pytest.raises(ConfigError, match=r"receive\.accept"):
        accepted([keyword])


def test_every_class_can_be_proposed_in_every_syntax() -> None:
    offered = contexts(accepted(()))
    assert len(offered) == 1 + len(ANALYSED | COMPANIONS) <= 128
    names = [context.abstract_syntax for context in offered]
    assert len(set(names)) == len(names)
    assert all(len(context.transfer_syntax) == 16 for context in offered[1:])
