"""UIDs as they may stand in file names and logs."""

import hashlib


def uid_hash(uid: str) -> str:
    """Shorten a UID to 16 hex digits: safe in file names and logs, where a UID would identify."""
    return hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:16]
