"""What a comparison needs to know of an earlier visit that another network outlined."""

from dataclasses import replace

import numpy as np
import pytest

from msnode import lesions
from msnode.flow.lesion_analysis import outlined_again
from msnode.lesions import Bundle, Found, Visit
from msnode.lesions.lesion_bundle import Manifest
from msnode.lesions.unet import Unet
from msnode.records.lesions import Lesion


def found(*places: int) -> Found:
    """Lesions of one voxel each at these places of a row, numbered in this order."""
    numbers = np.zeros((9, 1, 1), np.uint16)
    for number, place in enumerate(places, 1):
        numbers[place] = number
    each = tuple(
        Lesion(n, "unknown", 1.0, 3.0, (0,), (0.0, 0.0, 0.0), 0.9, {})
        for n in range(1, len(places) + 1)
    )
    labels = (numbers > 0).astype(np.uint8)
    return Found(labels, numbers, labels.astype(np.float32), each)


def test_outlined_again_keeps_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    was = found(2, 5)
    named = tuple(replace(one, identity=f"first/{one.number}") for one in was.lesions)
    before = Visit(np.ones((9, 1, 1), np.float32), np.eye(4), replace(was, lesions=named))
    monkeypatch.setattr(lesions, "find", lambda *_: found(7, 5, 2))
    again = outlined_again(before, "later", Bundle(Manifest("n", "1"), Unet((4, 4))))
    assert [one.identity for one in again.found.lesions] == ["later/3", "first/2", "first/1"]
