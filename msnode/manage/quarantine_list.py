"""Files that were kept aside, why, and what came of them afterwards."""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from msnode.receive.dicom.dimse_status import StoreRefused
from msnode.receive.inbox.identity import Header, read_header
from msnode.receive.inbox.part10 import read_meta
from msnode.records.uid_hash import uid_hash
from msnode.store.database import studies
from msnode.store.files import fsync
from msnode.store.for_reading import for_reading
from msnode.store.patients import are_one, contradict, patient_key

MOST = 200
"""Files that are listed; each is opened."""


@dataclass(frozen=True, slots=True)
class KeptAside:
    """A file in quarantine.

    Attributes:
        token: stands for its path.
        path: of the file.
        study: key of the study, by its folder.
        at: when it was put there, unix time in seconds.
        size: bytes.
        caller: AE title of who sent it; "" where that cannot be read.
        phrase: why, in the section ``admin`` of the pages' phrases.
        detail: in the receiver's words.
        can_be_taken: there is a chance that it is taken in now.
    """

    token: str
    path: Path
    study: str
    at: float
    size: int
    caller: str
    phrase: str
    detail: str
    can_be_taken: bool


class QuarantineFiles:
    """Lists and deletes them.

    Args:
        database: migrated.
        data: the data folder.
        secret: of the patients' keys.
    """

    def __init__(self, database: sa.Engine, data: Path, secret: bytes) -> None:
        self._database = for_reading(database)
        self._folder = data / "quarantine"
        self._secret = secret

    def listed(self) -> list[KeptAside]:
        """Some of them."""
        return list(itertools.islice(self._every(), MOST))

    def found(self, tokens: Collection[str]) -> Iterator[KeptAside]:
        """Those that tokens stand for, but for what is gone; one look at the folder for all."""
        for path in [path for path in self._paths() if self._token(path) in tokens]:
            if (told := self._told(path)) is not None:
                yield told

    def delete(self, kept: KeptAside) -> None:
        """Delete one, durably."""
        kept.path.unlink(missing_ok=True)
        fsync(kept.path.parent)

    def _every(self) -> Iterator[KeptAside]:
        for path in self._paths():
            if (told := self._told(path)) is not None:
                yield told

    def _paths(self) -> Iterator[Path]:
        return (path for path in sorted(self._folder.glob("*/*")) if path.is_file())

    def _token(self, path: Path) -> str:
        return uid_hash(path.relative_to(self._folder).as_posix())

    def _told(self, path: Path) -> KeptAside | None:
        """None where it has just been deleted."""
        caller, phrase, detail = "", "kept_unreadable", ""
        try:
            info = path.stat()
            syntax, caller, start = read_meta(path)
            with path.open("rb") as file:
                file.seek(start)
                header = read_header(file, syntax)
            phrase = self._phrase(header)
        except FileNotFoundError:
            return None
        except StoreRefused as refused:
            detail = refused.comment
        except OSError as error:
            detail = error.strerror or type(error).__name__
        return KeptAside(
            self._token(path), path, path.parent.name, info.st_ctime, info.st_size, caller, phrase,
            detail, phrase != "kept_unreadable",
        )  # fmt: skip

    def _phrase(self, header: Header) -> str:
        """Why a file that can be read is here."""
        key = uid_hash(header.study_instance_uid)
        whose = patient_key(self._secret, header.patient_id, header.issuer)
        query = sa.select(studies.c.patient_key).where(studies.c.study_key == key)
        with self._database.connect() as connection:
            known = connection.scalar(query)
            if known is None or not contradict(known, whose):
                return "kept_altered"
            return "kept_merged" if are_one(connection, known, whose) else "kept_patient"
