"""Files that are in the inbox and cannot stay there are kept aside for a person to look at."""

import logging
from pathlib import Path

from msnode import metrics
from msnode.receive.dicom.dimse_status import StoreRefused

log = logging.getLogger(__name__)


def keep_aside(data: Path, path: Path, why: StoreRefused) -> None:
    """Move a file to ``quarantine/`` of the data folder, in its study's folder there."""
    place = data / "quarantine" / path.parent.name / path.name
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        path.rename(place)
    except OSError as error:
        log.error("file not quarantined file=%s error=%s", path.name, type(error).__name__)
        return  # it has no row, so the next start finds it again
    metrics.QUARANTINED.labels("inbox").inc()
    log.error("file quarantined file=%s reason=%r", path.name, why.comment)
