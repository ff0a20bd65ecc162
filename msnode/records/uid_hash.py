"""UIDs as they may stand in file names and logs."""

import hashlib
import re
from functools import lru_cache


@lru_cache(1024)  # each image of a study asks for its hash several times
def uid_hash(uid: str) -> str:
    """Shorten a UID to 16 hex digits: safe in file names and logs, where a UID would identify."""
    return hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def study_key(named: str) -> str:
    """The key of a study that somebody names: by the key itself, or by StudyInstanceUID."""
    return named if re.fullmatch("[0-9a-f]{16}", named) else uid_hash(named)
