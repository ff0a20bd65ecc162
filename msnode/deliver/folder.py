"""A folder as destination: each file appears whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msnode.config import Destination
from msnode.deliver.store import Item, read_item
from msnode.errors import ConfigError, Refused
from msnode.records import Receipt, key


def copy(paths: Sequence[Path], destination: Destination) -> tuple[Receipt, ...]:
    """Copy results into the destination's folder, named by the hash of their SOPInstanceUID.

    Returns:
        One receipt per path, in their order.

    Raises:
        ConfigError: the destination has no folder.
    """
    if destination.folder is None:
        raise ConfigError(f"destination {destination.name}: has no folder")
    return tuple(_copy(path, destination.folder, destination.name) for path in paths)


def _copy(path: Path, folder: Path, name: str) -> Receipt:
    """Copy one file; a full or missing disk is worth another attempt, a bad file is not."""
    try:
        item = read_item(path)
    except Refused as refusal:
        return Receipt(name, "", None, False, 1, f"the file {refusal}")
    try:
        _place(item, folder)
    except OSError as error:
        why = f"cannot write to the folder: {error.strerror or error}"
        return Receipt(name, item.sop_instance_uid, None, False, 1, why, retry=True)
    return Receipt(name, item.sop_instance_uid, None, True, 1)


def _place(item: Item, folder: Path) -> None:
    """Write beside, flush, rename, flush the folder: whole and durable after a power loss."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        try:
            with item.path.open("rb") as source:
                shutil.copyfileobj(source, part)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(folder / f"{key(item.sop_instance_uid)}.dcm")
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
