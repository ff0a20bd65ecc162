"""C-STORE: files to a peer, as they lie on disk, and what the peer's answers mean."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pynetdicom._config
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    RLELossless,
)
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dsutils import split_dataset

from msnode.config import DicomPeer
from msnode.deliver.peer_answers import describe, outcome
from msnode.errors import Refused, TryLater
from msnode.records.receipt import Receipt
from msnode.requestor import peer
from msnode.requestor.association_answer import Course

# Send a file's bytes as they are, without reading it as a whole or decoding anything; a library
# switch without a parameter.
pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True

MAX_CONTEXTS = 128
"""Presentation contexts of one association: odd IDs from 1 to 255 (PS3.8 9.3.2.2)."""

CONVERTIBLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
"""Transfer syntaxes between which only the encoding of the elements differs, not the pixels."""

LOSSLESS = (RLELossless, JPEG2000Lossless, JPEGLSLossless)
"""Transfer syntaxes of our results that a peer without them gets decoded: the same pixels."""

FIXES = {
    Comprehensive3DSRStorage: ("sr", "comprehensive"),
    MultiFrameTrueColorSecondaryCaptureImageStorage: ("overlay", "single-frame"),
}
"""Which setting of a destination's ``form`` spares a peer a SOP Class."""

MAX_FRUITLESS = 3
"""So many associations in a row that end without an answer, and the peer is left alone."""

UNREADABLE = (OSError, ValueError, TypeError, AttributeError, RuntimeError, InvalidDicomError)
"""What a broken file provokes when it is read, decoded or encoded."""

NOT_SUPPORTED = 0x0122
"""Refused: SOP Class Not Supported (PS3.7 C.5.22)."""

Offer = tuple[UID, UID]
"""Abstract syntax and transfer syntax of a presentation context."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file to be sent, by its File Meta Information (PS3.10 7.1)."""

    path: Path
    sop_class_uid: UID
    sop_instance_uid: str
    transfer_syntax_uid: UID

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Contexts that would carry it, best first: as it is, then with the same pixels."""
        others = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        syntaxes = [self.transfer_syntax_uid]
        if self.transfer_syntax_uid in (*CONVERTIBLE, *LOSSLESS):
            syntaxes += [syntax for syntax in others if syntax != self.transfer_syntax_uid]
        return tuple((self.sop_class_uid, syntax) for syntax in syntaxes)


def read_item(path: Path) -> Item:
    """What a DICOM file's File Meta Information says of it.

    Raises:
        Refused: it cannot be read, is no DICOM file, or lacks what a C-STORE needs.
    """
    try:
        meta, _ = split_dataset(path)
        return Item(
            path,
            UID(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            UID(meta.TransferSyntaxUID),
        )
    except InvalidDicomError as error:
        raise Refused("is no DICOM file: the prefix DICM is missing (PS3.10 7.1)") from error
    except AttributeError as error:
        raise Refused(f"has incomplete File Meta Information: {error}") from error
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise Refused(f"cannot be read: {error}") from error


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items into runs that need at most 128 presentation contexts each."""
    batch: list[Item] = []
    offered: set[Offer] = set()
    for item in items:
        if batch and len(offered.union(item.offers)) > MAX_CONTEXTS:
            yield batch
            batch, offered = [], set()
        batch.append(item)
        offered.update(item.offers)
    if batch:
        yield batch


def send(
    paths: Sequence[Path],
    destination: DicomPeer,
    calling_ae_title: str,
    progress: Callable[[Receipt], None] = lambda _: None,
) -> tuple[Receipt, ...]:
    """Send DICOM files of any SOP class and transfer syntax, once each.

    Files that share SOP classes go over one association. A file whose transfer syntax the peer
    does not accept is re-encoded if that changes no pixel, and otherwise refused; its receipt says
    so.

    Args:
        paths: DICOM files.
        destination: the peer.
        calling_ae_title: ours.
        progress: called with each receipt as it comes.

    Returns:
        One receipt per path, in their order; whatever goes wrong with a file or the peer is in
        its receipt. ``sop_instance_uid`` is empty for a file that is no DICOM file.

    Raises:
        ConfigError: its TLS files cannot be used.
    """
    receipts: dict[Path, Receipt] = {}

    def note(path: Path, receipt: Receipt) -> None:
        receipts[path] = receipt
        progress(receipt)

    items = []
    for path in dict.fromkeys(paths):
        try:
            items.append(read_item(path))
        except Refused as refusal:
            note(path, Receipt(destination.name, "", None, False, 0, f"the file {refusal}"))
    for batch in batches(items):
        for item, receipt in zip(batch, _send(batch, destination, calling_ae_title), strict=True):
            note(item.path, receipt)
    return tuple(receipts[path] for path in paths)


def _send(batch: list[Item], destination: DicomPeer, calling: str) -> Iterator[Receipt]:
    """One association's worth: a receipt per item, whether or not the peer is there."""
    offers = dict.fromkeys(offer for item in batch for offer in item.offers)
    contexts = [build_context(abstract, syntax) for abstract, syntax in offers]
    rest, fruitless = batch, 0
    why = "the peer breaks off one association after another"
    while rest and fruitless < MAX_FRUITLESS:
        done = 0
        try:
            course = Course()
            with peer.associate(destination, calling, contexts, course=course) as association:
                for receipt in _over(association, rest, destination, course):
                    done += 1
                    yield receipt
        except TryLater as trouble:
            why, fruitless = str(trouble), MAX_FRUITLESS
        else:  # the object that broke the association counts as done
            fruitless = fruitless + 1 if done <= 1 else 0
        rest = rest[done:]
    for item in rest:
        yield _missed(destination.name, item, why)


def _over(
    association: Association, items: list[Item], destination: DicomPeer, course: Course
) -> Iterator[Receipt]:
    """Send items over an association, to the end or to the first that gets no answer."""
    for number, item in enumerate(items):
        receipt = _store(association, item, destination, number % 65535 + 1)
        if receipt.status is not None or not receipt.retry:
            yield receipt
        else:
            yield replace(receipt, detail=_ended(course))
            association.join(peer.ACSE_S)  # until it has noticed that it is over
            return


def _store(
    association: Association, item: Item, destination: DicomPeer, message_id: int
) -> Receipt:
    """Send one item over an association and read the answer."""
    name = destination.name
    accepted = {(cx.abstract_syntax, cx.transfer_syntax[0]) for cx in association.accepted_contexts}
    offer = next((offer for offer in item.offers if offer in accepted), None)
    if offer is None:
        why = _not_accepted(item, destination)
        return Receipt(name, item.sop_instance_uid, NOT_SUPPORTED, False, 1, why)
    if not association.is_established:
        return _missed(name, item, "no answer")
    try:
        as_it_is = offer[1] == item.transfer_syntax_uid
        data = item.path if as_it_is else decoded(item)
        # counts from when the object is queued, not from when its last byte has left
        association.dimse_timeout = peer.DIMSE_S + item.path.stat().st_size / peer.SLOWEST
        status = association.send_c_store(data, msg_id=message_id).get("Status")
    except UNREADABLE as error:
        if isinstance(error, RuntimeError) and not association.is_established:
            return _missed(name, item, "no answer")  # it ended meanwhile: decoding takes its time
        # what pydicom says of a value quotes it
        why = f": {error}" if isinstance(error, OSError | RuntimeError) else ""
        detail = f"the file cannot be sent: {type(error).__name__}{why}"
        return Receipt(name, item.sop_instance_uid, None, False, 1, detail)
    if status is None:
        return _missed(name, item, "no answer")
    receipt = _answered(name, item, status)
    if receipt.delivered and not as_it_is and item.transfer_syntax_uid in LOSSLESS:
        syntax = item.transfer_syntax_uid.name
        return replace(receipt, detail=f"uncompressed, as the peer does not accept {syntax}")
    return receipt


def decoded(item: Item) -> Dataset:
    """A file's dataset, with uncompressed pixels."""
    dataset = dcmread(item.path)
    if item.transfer_syntax_uid in LOSSLESS:
        dataset.decompress(generate_instance_uid=False)
    return dataset


def _answered(name: str, item: Item, status: int) -> Receipt:
    """A receipt by the peer's status."""
    meaning = outcome(status)
    return Receipt(
        name,
        item.sop_instance_uid,
        status,
        delivered=meaning == "delivered",
        attempts=1,
        detail=describe(status) if status else "",
        retry=meaning == "retry",
    )


def _missed(name: str, item: Item, why: str) -> Receipt:
    """A receipt for what could not be sent now."""
    return Receipt(name, item.sop_instance_uid, None, False, 1, why, retry=True)


def _ended(course: Course) -> str:
    """How the association ended before there was an answer."""
    return f"the association ended without an answer: {course.end or 'the peer closed it'}"


def _not_accepted(item: Item, destination: DicomPeer) -> str:
    """Name what the peer would have to accept, or which setting would do without it."""
    syntaxes = " or ".join(syntax.name for _, syntax in item.offers)
    refusal = f"the peer does not accept {item.sop_class_uid.name} as {syntaxes}"
    setting, usual = FIXES.get(item.sop_class_uid, ("", ""))
    if setting and getattr(destination.form, setting) != usual:
        refusal += f"; set form.{setting} of {destination.name} to {usual}"
    return refusal
