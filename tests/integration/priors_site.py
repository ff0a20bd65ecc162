"""A node's listener, inbox and search for earlier studies, beside an archive that has some."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from pydicom.dataset import Dataset

from msnode import config
from msnode.fetch.patient import read_patient
from msnode.fetch.way import Taking
from msnode.flow.prior_step import Fetching, PriorStep, Reading
from msnode.receive.c_get_scu import receiver
from msnode.receive.dicomweb.wado_body import body_receiver
from msnode.records.images import Study
from msnode.records.uid_hash import uid_hash
from msnode.store.database import prior_studies, studies
from msnode.store.patients import patient_key
from tests.acceptance import peers
from tests.integration.listening import Receiver, write
from tests.unit.receive.datasets import mr

NOW, THEN = "1.2.826.0.1.3680043.8.498.91.9", "1.2.826.0.1.3680043.8.498.91.1"
KEY = uid_hash(NOW)


@dataclass
class Visits:
    """In place of outlining, which takes seconds: what came is looked at, and dropped."""

    folder: Path
    kept: list[str] = field(default_factory=list)

    def is_here(self, study_key: str) -> bool:
        return study_key in self.kept

    def was_compared(self, study_key: str) -> bool:
        return bool(self.kept) and bool(study_key)

    def files(self, study_key: str) -> list[Path]:
        return sorted((self.folder / "fetched" / study_key).glob("*.dcm"))

    def arrived(self, study_key: str) -> int:
        return len(self.files(study_key))

    def keep(self, study_instance_uid: str) -> str | None:
        self.kept.append(uid_hash(study_instance_uid))
        return None

    def drop(self, study_key: str) -> None:
        for path in self.files(study_key):
            path.unlink()


def image(study: str, date: str, number: int = 1, **more: Any) -> Dataset:
    """A FLAIR of a study of a day."""
    dataset = mr(StudyInstanceUID=study, SeriesInstanceUID=f"{study}.{more.pop('series', 1)}")
    dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.{number}"
    dataset.Modality = "MR"
    dataset.StudyDate, dataset.PatientBirthDate = date, "19800101"
    dataset.PatientID, dataset.SeriesDescription = "4711", "FLAIR ax"
    for name, value in more.items():
        setattr(dataset, name, value)
    return dataset


def saved(folder: Path, *datasets: Dataset) -> list[Path]:
    """As files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write(folder / f"{one.SOPInstanceUID}.dcm", one) for one in datasets]


@dataclass
class Site:
    """What is under test.

    Attributes:
        visits: keeps what came.
    """

    receiver: Receiver
    folder: Path
    source: config.PriorSource
    visits: Visits

    @property
    def engine(self) -> sa.Engine:
        return self.receiver.engine

    @property
    def step(self) -> PriorStep:
        """That fetches; anew, as after a restart."""
        settings = config.Config(
            data=self.receiver.folder,
            receive=config.Receive(port=1, address="127.0.0.1"),
            priors=(self.source,),
        )
        path = self.folder / "now" / f"{NOW}.1.1.dcm"
        study = Study(NOW, 1, "evidence", (path,), 0.0)
        inbox: Any = SimpleNamespace(study=lambda *_: study, firsts=lambda *_: [path])
        glance: Any = SimpleNamespace(call=lambda _, function, *args: function(*args))
        visits: Any = self.visits
        inbox_, receive = self.receiver.inbox, settings.receive
        taking = Taking(receiver(receive, inbox_), body_receiver(receive, inbox_))
        reading = Reading(glance, lambda _: True, ("FLAIR",))
        return PriorStep(settings, self.engine, inbox, reading, visits, taking, self.receiver.trail)

    def attempt(self) -> Fetching:
        """What the workflow does."""
        step, name = self.step, self.source.name
        made = step.fetch(KEY, 1, name)
        for prior in made["arrived"]:
            step.outline(KEY, 1, name, prior)
        step.settle(KEY, name, made)
        return made

    def rows(self) -> dict[str, tuple[str, str]]:
        """What became of each study that the source has, and why."""
        columns = prior_studies.c
        query = sa.select(columns.study_instance_uid, columns.state, columns.reason)
        with self.engine.connect() as connection:
            return {uid: (state, reason) for uid, state, reason in connection.execute(query)}

    def ordinary(self) -> set[str]:
        """Studies that were taken for what somebody sent us."""
        self.receiver.inbox.flush()
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(studies.c.study_instance_uid))) - {NOW}


@contextmanager
def site(folder: Path, source: config.PriorSource, port: int = 0) -> Iterator[Site]:
    """A node that has received the present study.

    Args:
        folder: for all that there is.
        source: that is asked.
        port: of its listener.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    receive = config.Receive(address="127.0.0.1", port=port or peers.free_port(), min_free_bytes=0)
    receiver = Receiver(f"sqlite:///{data / 'msnode.sqlite'}", data, receive)
    try:
        [path] = saved(folder / "now", image(NOW, "20240115"))
        whose = read_patient(path)
        row = {"study_key": KEY, "study_instance_uid": NOW, "generation": 1, "state": "queued",
               "patient_key": patient_key(receiver.inbox.secret, whose.patient_id, ""),
               "first_at": 0.0, "last_at": 0.0}  # fmt: skip
        with receiver.engine.begin() as connection:
            connection.execute(studies.insert().values(row))
        made = Site(receiver, folder, source, Visits(data))
        made.step.searches.begin(KEY, 1, {source.name: 60.0})
        yield made
    finally:
        receiver.close()
