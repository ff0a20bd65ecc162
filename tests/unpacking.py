"""Our own tar archives; their filter is in Python since 3.11.4 only (Debian 12 has 3.11.2)."""

import tarfile
from pathlib import Path


def unpack(archive: Path, folder: Path, below: str = "") -> None:
    """Unpack our own archive, or what lies below one of its folders."""
    with tarfile.open(archive) as packed:
        if hasattr(tarfile, "data_filter"):
            packed.extraction_filter = tarfile.data_filter
        packed.extractall(folder, [m for m in packed if m.name.startswith(below)])
