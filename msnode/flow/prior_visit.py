"""Studies that were fetched: from their images to a visit that later studies are compared with."""

import logging
import shutil
from pathlib import Path

import sqlalchemy as sa

from msnode import prepare
from msnode.confined import Confined
from msnode.flow import lesion_analysis
from msnode.flow.analysis import prepared
from msnode.flow.result_files import ResultFiles
from msnode.flow.routes import Route
from msnode.flow.steps import work_folder
from msnode.lesions import Bundle, kept
from msnode.receive.inbox.fetched import FOLDER
from msnode.records.dicom_date import day_of
from msnode.records.images import InputContract
from msnode.records.sentences import Sentence, Text
from msnode.records.uid_hash import uid_hash
from msnode.store.database import StudyState, studies
from msnode.store.files import fsync

log = logging.getLogger(__name__)

FETCHED = 0
"""The generation of a visit that was fetched: one of a study that is sent to us takes its place."""


class PriorVisits:
    """Keeps what was fetched.

    Args:
        data: the node's data folder.
        database: migrated.
        reader: for work on a study's files that may take long.
        files: reads a study's date.
        route: how studies are read.
        contract: the classifier's.
        bundle: the network that outlines.
    """

    def __init__(
        self,
        data: Path,
        database: sa.Engine,
        reader: Confined,
        files: ResultFiles,
        route: Route,
        contract: InputContract,
        bundle: Bundle,
    ) -> None:
        self._data = data
        self._database = database
        self._reader = reader
        self._files = files
        self._route = route
        self._contract = contract
        self._bundle = bundle

    def is_here(self, study_key: str) -> bool:
        """Whether a study need not be fetched: its visit is kept, or will be, as it is in work."""
        if lesion_analysis.candidates(self._data, [study_key]):
            return True
        mine = studies.c.study_key == study_key, studies.c.state != StudyState.DONE
        with self._database.connect() as connection:
            return bool(connection.scalar(sa.select(sa.exists().where(*mine))))

    def was_compared(self, study_key: str) -> bool:
        """Whether a study that was outlined found an earlier visit to compare with."""
        own = lesion_analysis.candidates(self._data, [study_key])
        return not own or own[0].comparison.status != "no_prior"

    def files(self, study_key: str) -> list[Path]:
        """The images of a study that came as an answer."""
        return sorted((self._data / FOLDER / study_key).glob("*.dcm"))

    def arrived(self, study_key: str) -> int:
        """How many they are."""
        return len(self.files(study_key))

    def keep(self, study_instance_uid: str) -> str | None:
        """Make a visit of a study that came, if nothing was kept of it yet.

        Returns:
            Why nothing can be made of it; None where there is a visit.

        Raises:
            TryLater, OSError: the device or the disk cannot do this now.
        """
        key = uid_hash(study_instance_uid)
        if lesion_analysis.candidates(self._data, [key]):
            return None
        paths = self.files(key)
        if not paths:
            return "its images are gone"
        folder = work_folder(self._data, key, FETCHED)
        task = (paths, self._contract, self._reader, folder, self._route.prepare_into)
        reason = prepared(*task).reason
        date = self._files.study_date(paths, study_instance_uid)
        if reason is not None:
            return _code(reason)
        if day_of(date) is None:
            return "no StudyDate"
        slices, volume = prepare.load(folder).slices, prepare.load_volume(folder)
        now = lesion_analysis.outlined(key, slices, volume, self._bundle, graded=False)
        if now.visit is None:
            return _code(now.finding.reason)
        here = lesion_analysis.about(key, date, slices, now)
        kept.keep(self._data, FETCHED, here, now.visit)
        return None

    def drop(self, study_key: str) -> None:
        """Delete a study's images and what was made of them on the way; its visit stays."""
        for place in (self._data / FOLDER / study_key,
                      self._data / "work" / study_key / str(FETCHED)):  # fmt: skip
            if place.exists():
                shutil.rmtree(place, ignore_errors=True)
                fsync(place.parent)
        work = self._data / "work" / study_key
        if work.is_dir() and not any(work.iterdir()):
            work.rmdir()


def _code(reason: Text | None) -> str:
    """A reason without what it quotes, which is free text of the images."""
    return reason.code if isinstance(reason, Sentence) else "not analysable"
