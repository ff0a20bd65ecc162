"""Hands what readers said over to the destinations: an SR beside ours, delivered like it.

The objects of a result are sent by `deliver.v1`, which sends what a destination does not have yet.
So a verdict becomes one more object there, and one more job of that kind, under an ID of its own:
whatever stops this, the next round does the same again.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from msnode import report
from msnode.config import Config, ObjectDestination
from msnode.deliver.result_places import sent_folders
from msnode.engine.jobs import Jobs
from msnode.errors import InvalidResult
from msnode.records.feedback import Verdict
from msnode.store.reader_feedback import settle, waiting

log = logging.getLogger(__name__)

MOST = 20
"""Verdicts of one round."""


class VerdictDelivery:
    """Makes the SRs and queues their deliveries.

    Args:
        config: the destinations, and what objects say of us.
        database: migrated.
    """

    def __init__(self, config: Config, database: sa.Engine) -> None:
        self._config = config
        self._database = database

    def hand_over(self) -> bool:
        """Hand over the oldest verdicts that wait; returns whether there may be more.

        Raises:
            OSError: the disk cannot be used now; the next round does it again.
        """
        with self._database.connect() as connection:
            due = waiting(connection, MOST)
        for one in due:
            self._hand_over(one)
            with self._database.begin() as connection:
                settle(connection, one.number)
        return len(due) == MOST

    def _hand_over(self, verdict: Verdict) -> None:
        """Write the SR for each destination of objects, and queue its delivery."""
        study, generation = verdict.study_key, verdict.generation
        folder = self._config.data / "work" / study / str(generation)
        kept = report.read_report(folder / report.FILE)
        sent, jobs = sent_folders(folder), Jobs(self._database)
        takers = [one for one in self._config.destinations if isinstance(one, ObjectDestination)]
        for one in takers if kept is not None else ():
            place = folder / sent.get(one.name, one.objects)
            if kept is not None and self._is_written(kept, verdict, one, place):
                jobs.deliver(study, generation, one.name, f"v{verdict.number}")
        if kept is None:
            log.error("study=%s verdict=%d kept, not sent: its result's files are gone",
                      study, verdict.number)  # fmt: skip

    def _is_written(
        self, kept: report.KeptReport, verdict: Verdict, one: ObjectDestination, place: Path
    ) -> bool:
        """Whether the SR lies beside ours now; where it cannot, that is logged."""
        try:
            report.write_reader_sr(kept, verdict, self._config.report, one.form, place)
        except (FileNotFoundError, InvalidResult) as error:
            kind, study = type(error).__name__, verdict.study_key
            log.error("study=%s verdict=%d destination=%s kept, not sent error=%s",
                      study, verdict.number, one.name, kind)  # fmt: skip
            return False
        return True
