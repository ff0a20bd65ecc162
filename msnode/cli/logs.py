"""What goes to stderr while a command runs."""

import logging
import sys


def log_to_stderr(level: int) -> None:
    """Log to stderr as journald and humans like it; libraries only when something is wrong."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.getLogger("msnode").setLevel(level)
    # pynetdicom and pydicom quote attribute values, which may identify a patient
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
