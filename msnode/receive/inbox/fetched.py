"""Images that we asked a source for: kept apart from what is sent to us, in ``fetched/STUDY/``.

They are as durable as all others when they are answered, but have no rows: what lies in the folder
is what came. An image is an answer only where it names us as who asked for it, its study was asked
for of late, and it is of the patient for whom it was. Everything else is what somebody sends us.
"""

from pathlib import Path

import sqlalchemy as sa

from msnode.errors import TryLater
from msnode.receive.dicom.dimse_status import OUT_OF_RESOURCES, WRONG_CLASS, StoreRefused
from msnode.receive.inbox.folders import Folders
from msnode.receive.inbox.identity import Header
from msnode.receive.inbox.part10 import Spool
from msnode.records.uid_hash import uid_hash
from msnode.store.patients import contradict, is_ambiguous
from msnode.store.prior_searches import PriorSearches

FOLDER = "fetched"


class Fetched:
    """Keeps them.

    Args:
        engine: the database, migrated.
        folder: the data folder.
    """

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine = engine
        self._searches = PriorSearches(engine)
        self._root = folder / FOLDER
        self._root.mkdir(mode=0o700, exist_ok=True)
        self._folders = Folders()

    def is_asked(self, header: Header, patient_key: str) -> bool:
        """Whether an image that names us as who asked for it is one that we did ask for.

        Raises:
            StoreRefused: 0xA900, it was asked for, and is another patient's.
            TryLater: the database does not say.
        """
        try:
            asked, named = self._searches.whose(header.study_instance_uid)
            is_same = all(self._is_same(key, patient_key) for key in asked)
            is_same &= not any(contradict(key, patient_key) for key in named)
            if asked and is_same and patient_key not in named:
                self._searches.identify(header.study_instance_uid, patient_key)
        except sa.exc.SQLAlchemyError as error:
            raise TryLater(f"database: {type(error).__name__}") from error
        if not is_same:
            raise StoreRefused(WRONG_CLASS, "Retrieved study belongs to another PatientID")
        return bool(asked)

    def _is_same(self, one: str, other: str) -> bool:
        """Whether two keys are surely of one patient: here a missing ID does contradict."""
        if not one or not other or contradict(one, other):
            return False
        with self._engine.connect() as connection:
            return one == other or not is_ambiguous(connection, min(one, other, key=len))

    def store(self, header: Header, spool: Spool, limit: int) -> None:
        """Keep an image; it is safe when this returns. The same UID again replaces it.

        Args:
            header: of the image.
            spool: its file; the caller closes it.
            limit: images of a study at most.

        Raises:
            StoreRefused: 0xA700, there are too many.
            OSError: the disk did not take it.
        """
        place = self._root / uid_hash(header.study_instance_uid)
        place /= f"{uid_hash(header.sop_instance_uid)}.dcm"
        if self._folders.count(str(place.parent)) >= limit and not place.exists():
            why = "More instances than receive.max_study_instances"
            raise StoreRefused(OUT_OF_RESOURCES, why, "max_study_instances")
        self._folders.link(spool, str(place))
