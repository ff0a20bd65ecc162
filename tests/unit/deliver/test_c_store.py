from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from msnode.config import DicomPeer
from msnode.deliver.c_store import Item, _store, batches, read_item
from msnode.errors import Refused

SaveDicom = Callable[..., Path]


def item(number: int, syntax: UID = ExplicitVRLittleEndian) -> Item:
    return Item(Path(f"{number}.dcm"), UID(f"2.25.{number}"), f"2.25.9.{number}", syntax)


def offered(syntax: UID) -> list[UID]:
    return [offer for _, offer in item(1, syntax).offers]


def test_an_uncompressed_object_is_offered_as_it_is_then_otherwise_encoded() -> None:
    explicit, implicit = ExplicitVRLittleEndian, ImplicitVRLittleEndian
    assert offered(explicit) == [explicit, implicit]
    assert offered(implicit) == [implicit, explicit]
    assert offered(DeflatedExplicitVRLittleEndian)[1:] == [explicit, implicit]


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_a_lossless_object_is_offered_as_it_is_then_uncompressed(syntax: UID) -> None:
    assert offered(syntax) == [syntax, ExplicitVRLittleEndian, ImplicitVRLittleEndian]


@pytest.mark.parametrize("syntax", [JPEG2000, JPEGLSNearLossless, ExplicitVRBigEndian])
def test_pixels_are_never_changed(syntax: UID) -> None:
    assert offered(syntax) == [syntax]


def test_objects_that_share_contexts_share_an_association() -> None:
    assert len(list(batches([item(1) for _ in range(1000)]))) == 1


def test_an_association_has_at_most_128_contexts() -> None:
    lengths = [len(batch) for batch in batches(item(number) for number in range(150))]
    assert lengths == [64, 64, 22]


def test_nothing_needs_no_association() -> None:
    assert list(batches([])) == []


def test_an_item_is_what_its_meta_information_says(save_dicom: SaveDicom) -> None:
    path = save_dicom("2.25.7")
    read = read_item(path)
    assert read.sop_instance_uid == "2.25.7"
    assert read.sop_class_uid.name == "Secondary Capture Image Storage"
    assert read.transfer_syntax_uid == ExplicitVRLittleEndian


def test_what_cannot_be_sent_is_refused_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not an image" * 100)
    with pytest.raises(Refused, match="prefix DICM is missing"):
        read_item(text)
    with pytest.raises(Refused, match="No such file"):
        read_item(tmp_path / "absent.dcm")
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(bytes(128) + b"DICM")
    with pytest.raises(Refused, match="MediaStorageSOPClassUID"):
        read_item(bare)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("invalid value for VR DA: 'Doe^Jane'"), "the file cannot be sent: ValueError"),
        (OSError(5, "I/O error"), "the file cannot be sent: OSError: [Errno 5] I/O error"),
    ],
    ids=repr,
)
def test_what_cannot_be_sent_is_told_without_its_values(
    error: Exception, told: str, save_dicom: SaveDicom
) -> None:
    sent = read_item(save_dicom("2.25.7"))
    association: Any = SimpleNamespace(is_established=True)
    context = SimpleNamespace(
        abstract_syntax=sent.sop_class_uid, transfer_syntax=[sent.transfer_syntax_uid]
    )
    association.accepted_contexts = [context]

    def fail(*_: object, **__: object) -> None:
        raise error

    association.send_c_store = fail
    receipt = _store(association, sent, DicomPeer("pacs", "PACS", "localhost"), 1)
    assert (receipt.detail, receipt.delivered, receipt.retry) == (told, False, False)
