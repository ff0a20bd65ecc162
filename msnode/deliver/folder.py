"""A folder as destination: each file appears whole, or not at all."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from msnode.config import Folder
from msnode.deliver.c_store import read_item
from msnode.errors import Refused
from msnode.records.receipt import Receipt
from msnode.records.uid_hash import uid_hash
from msnode.store.files import replacing


def copy(paths: Sequence[Path], destination: Folder) -> tuple[Receipt, ...]:
    """Copy results into the destination's folder, named by the hash of their SOPInstanceUID.

    Returns:
        One receipt per path, in their order.
    """
    return tuple(_copy(path, destination.folder, destination.name) for path in paths)


def _copy(path: Path, folder: Path, name: str) -> Receipt:
    """Copy one file; a full or missing disk is worth another attempt, a bad file is not."""
    try:
        item = read_item(path)
    except Refused as refusal:
        return Receipt(name, "", None, False, 1, f"the file {refusal}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            path.open("rb") as source,
            replacing(folder / f"{uid_hash(item.sop_instance_uid)}.dcm") as copied,
        ):
            shutil.copyfileobj(source, copied)
    except OSError as error:
        why = f"cannot write to the folder: {error.strerror or error}"
        return Receipt(name, item.sop_instance_uid, None, False, 1, why, retry=True)
    return Receipt(name, item.sop_instance_uid, None, True, 1)
