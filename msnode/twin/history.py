"""One row for each analysed generation of a study, joined to the patient by a keyed hash."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from msnode.store.database import prior_studies, results, studies
from msnode.store.patients import keys_of
from msnode.store.prior_searches import Fate

_SENT = studies.alias()
"""Studies that were sent here, beside those of a patient."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one generation of a study came to.

    Attributes:
        outcome: present, absent, undetermined or not_analysed.
        probability: of an MS pattern in the study, in [0, 1]; None where not analysed.
        reason: why it was not analysed, or None.
        model_digest: `records.ModelInfo.digest`.
        created_at: unix time in seconds.
        folder: of the result objects, relative to the data folder.
        study_date: DA (PS3.5 6.2), None where the study has none.
        model: name and version; None in entries of older versions of this program.
        threshold: study probability from which the decision was "present"; None likewise.
        lesion_count: number of lesions outlined; None where none were looked for.
        lesion_ml: their volume.
        lesion_digest: of the network that outlined them.
        comparison: `records.lesions.Comparison.status`.
        new_lesions: since an earlier visit; None where nothing was compared.
        enlarging_lesions: likewise.
        prior_date: DA of that earlier visit; None where it has none, and in entries of older
            versions.
        lesion_regions: JSON, ml by region; None likewise.
        documents: JSON, a list of `records.results.DocumentReference` as lists; None likewise.
        urgent: to be read before others; None where nothing is suggested, and likewise.
        priority_why: JSON, the sentence that says why; None likewise.
        route: kind of study, as in `flow.routes`; None: a brain MRI.
    """

    study_key: str
    generation: int
    outcome: str
    probability: float | None
    decision: str | None
    reason: str | None
    model_digest: str
    created_at: float
    folder: str
    study_date: str | None = None
    model: str | None = None
    threshold: float | None = None
    lesion_count: int | None = None
    lesion_ml: float | None = None
    lesion_digest: str | None = None
    comparison: str | None = None
    new_lesions: int | None = None
    enlarging_lesions: int | None = None
    prior_date: str | None = None
    lesion_regions: str | None = None
    documents: str | None = None
    urgent: bool | None = None
    priority_why: str | None = None
    route: str | None = None


def newest(entries: Iterable[Entry]) -> list[Entry]:
    """The result of the latest generation of each study."""
    found = {one.study_key: one for one in sorted(entries, key=lambda one: one.generation)}
    return list(found.values())


class Twin:
    """Reads and writes the record; the same statements on SQLite and PostgreSQL.

    Attributes:
        engine: the database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def record(self, entry: Entry) -> None:
        """Add an entry; the same generation again replaces its own."""
        same = sa.and_(
            results.c.study_key == entry.study_key, results.c.generation == entry.generation
        )
        with self.engine.begin() as connection:
            connection.execute(results.delete().where(same))
            connection.execute(results.insert(), asdict(entry))

    def predecessor(self, study_key: str, generation: int) -> Entry | None:
        """The latest earlier result of the same study, which a revised one replaces."""
        query = (
            sa.select(results)
            .where(results.c.study_key == study_key, results.c.generation < generation)
            .order_by(results.c.generation.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return Entry(**row._mapping) if row is not None else None

    def priors(self, study_key: str, study_date: str) -> list[Entry]:
        """The latest result of each earlier study of the same patient, oldest study first.

        Args:
            study_key: of the study that is being reported.
            study_date: its date (DA); studies without a date, or of a later one, are no priors, nor
                are those of the same day: nobody knows here which of the two came first.
        """
        patient = self.patient(study_key)
        others = [
            entry
            for entry in (self.history(patient) if patient else [])
            if entry.study_key != study_key and entry.study_date
        ]
        dated = [entry for entry in newest(others) if str(entry.study_date) < study_date]
        return sorted(dated, key=lambda entry: str(entry.study_date))

    def others(self, connection: sa.Connection, study_key: str) -> list[str]:
        """Keys of the same patient's other studies, whether they are reported yet or not.

        Those that were fetched are among them: whose they are their own images say.
        """
        known = sa.select(studies.c.study_key)
        mine = sa.select(studies.c.patient_key).where(studies.c.study_key == study_key)
        patient = connection.scalar(mine)
        keys = keys_of(connection, patient) if patient else []
        of_patient = studies.c.patient_key.in_(keys)
        fetched = (
            sa.select(prior_studies.c.prior_key)
            .where(prior_studies.c.patient_key.in_(keys), prior_studies.c.state == Fate.KEPT)
            .where(~sa.exists().where(_SENT.c.study_key == prior_studies.c.prior_key))
        )
        sent = connection.scalars(known.where(of_patient))
        return sorted({*sent, *connection.scalars(fetched)} - {study_key})

    def patient(self, study_key: str) -> str | None:
        """Key of a study's patient; "" where it has no ID, None where there is no such study."""
        query = sa.select(studies.c.patient_key).where(studies.c.study_key == study_key)
        with self.engine.connect() as connection:
            return connection.scalar(query)

    def history(self, patient_key: str) -> list[Entry]:
        """Every brain MRI of a patient, oldest first; see `patients.same_patient`."""
        with self.engine.connect() as connection:
            query = (
                sa.select(results)
                .join(studies, studies.c.study_key == results.c.study_key)
                .where(studies.c.patient_key.in_(keys_of(connection, patient_key)))
                .where(results.c.route.is_(None))
                .order_by(results.c.created_at)
            )
            return [Entry(**row._mapping) for row in connection.execute(query)]
