"""Labels: what studies say of patient and study, in the database, so that people find them there.

Only where the pages show patients. A study's images name it, or, where they are deleted, its result
objects. Labels are made behind the receiver's back, by the process of the pages: a study is
labelled again when newer images have come.
"""

import itertools
import logging
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from msnode.errors import origin
from msnode.manage.header_words import first_header
from msnode.store.database import instances, studies
from msnode.store.for_reading import for_reading
from msnode.store.page_tables import study_labels

log = logging.getLogger(__name__)

ROUND_S = 2.0
PAGE = 50
"""Studies of one transaction; it holds up the receiver's for some milliseconds."""
TRIES = 3
"""Files of a study that are tried."""
AGAIN_S = 600.0
"""A study of which nothing could be read is tried again after so long."""


def folded(name: str) -> str:
    """A name as it is searched for: without case, accents and PN's delimiters (PS3.5 6.2.1.1).

    The groups of a name (alphabetic, ideographic, phonetic) are kept apart by ``|``.
    """
    groups = (" ".join(group.replace("^", " ").split()) for group in name.split("="))
    plain = unicodedata.normalize("NFKD", "|".join(group for group in groups if group))
    return "".join(one for one in plain if not unicodedata.combining(one)).casefold()


def typed(words: str) -> str:
    """What somebody typed of a name, as `folded` keeps names."""
    return folded(words.replace(",", " ").replace("|", " "))


def name_begins(words: str) -> sa.ColumnElement[bool]:
    """Labels whose name, or another group of it, begins with words that somebody has typed."""
    wanted = typed(words)
    column = study_labels.c.name_folded
    inside = column.contains(f"|{wanted}", autoescape=True)
    return sa.or_(column.startswith(wanted, autoescape=True), inside)


class Labels:
    """Makes them.

    Args:
        database: migrated.
        data: the data folder.
    """

    def __init__(self, database: sa.Engine, data: Path) -> None:
        self._database = database
        self._reading = for_reading(database)
        self._data = data
        self._not_before: dict[str, float] = {}

    def update(self) -> int:
        """Label a page of studies; repeated, or beside another process, it does no harm.

        Returns:
            How many studies were looked at; 0 where all have their labels.
        """
        due, began = self._due(), time.time()
        read = [(key, self._read(key)) for key in due]
        for key, header in read:
            if not header:
                self._not_before[key] = time.monotonic() + AGAIN_S
        rows = [_row(key, header, began) for key, header in read if header]
        if rows:
            self._write(rows)
        return len(due)

    def drop_all(self) -> int:
        """Delete all labels, as the pages show no patients; returns how many there were."""
        with self._database.begin() as connection:
            return connection.execute(study_labels.delete()).rowcount

    def _due(self) -> list[str]:
        """Studies without a label, or with images that came after it; the newest first.

        Not those of which neither images nor result objects are left.
        """
        now, of = time.monotonic(), studies.c
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        columns, gone = study_labels.c, (of.images_deleted_at, of.results_deleted_at)
        query = (
            sa.select(studies.c.study_key)
            .outerjoin(study_labels, columns.study_key == studies.c.study_key)
            .where(sa.or_(columns.study_key.is_(None), columns.labelled_at < of.last_at))
            .where(sa.or_(*(sa.func.coalesce(at, 0.0) <= of.last_at for at in gone)))
            .order_by(of.last_at.desc())
            .limit(PAGE + len(self._not_before))
        )
        with self._reading.connect() as connection:
            found = connection.scalars(query).all()
        return [key for key in found if key not in self._not_before][:PAGE]

    def _read(self, key: str) -> dict[str, str]:
        """What the newest image that can be read says, else a result object; empty for nothing."""
        mine = instances.c.study_key == key
        newest = sa.select(instances.c.path).where(mine).order_by(instances.c.id.desc())
        with self._reading.connect() as connection:
            paths = connection.scalars(newest.limit(TRIES)).all()
        images = (self._data / path for path in paths)
        return first_header(itertools.chain(images, self._results(key)))

    def _results(self, key: str) -> Iterator[Path]:
        """Result objects of the newest generation that has some."""
        folder = self._data / "work" / key
        generations = [path for path in folder.glob("[0-9]*") if path.name.isdigit()]
        newest = sorted(generations, key=lambda path: int(path.name), reverse=True)
        objects = (path for folder in newest for path in sorted(folder.glob("*/*.dcm")))
        yield from itertools.islice(objects, TRIES)

    def _write(self, rows: list[dict[str, object]]) -> None:
        """Put them in place of older ones; of studies that were forgotten meanwhile none."""
        keys = [row["study_key"] for row in rows]
        here = sa.select(studies.c.study_key).where(studies.c.study_key.in_(keys))
        with self._database.begin() as connection:
            kept = set(connection.scalars(here.with_for_update()))
            connection.execute(study_labels.delete().where(study_labels.c.study_key.in_(keys)))
            if kept:
                mine = [row for row in rows if row["study_key"] in kept]
                connection.execute(study_labels.insert(), mine)


def _row(key: str, header: dict[str, str], at: float) -> dict[str, object]:
    """What is kept; ``at`` is from before it was read, so that what came since is news."""
    return {
        "study_key": key,
        "patient_id": header["PatientID"],
        "issuer": header["IssuerOfPatientID"],
        "patient_name": header["PatientName"],
        "name_folded": folded(header["PatientName"]),
        "birth_date": _date(header["PatientBirthDate"]),
        "sex": header["PatientSex"][:16],
        "accession_number": header["AccessionNumber"],
        "study_date": _date(header["StudyDate"]),
        "description": header["StudyDescription"],
        "labelled_at": at,
    }


def _date(value: str) -> str:
    """A DA; the older form with dots, too; "" for what is none."""
    plain = value.replace(".", "")
    return plain if len(plain) == 8 and plain.isascii() and plain.isdigit() else ""


class Labelling(threading.Thread):
    """Labels studies until it is stopped."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(name="labels", daemon=True)
        self._labels = labels
        self._stopping = threading.Event()

    def run(self) -> None:
        """Page after page, and then what is new."""
        while not self._stopping.is_set():
            try:
                pause = 0.0 if self._labels.update() else ROUND_S
            except Exception as error:  # noqa: BLE001 - the database may be away: it comes back
                log.warning("studies not labelled error=%s at=%s", *origin(error))
                pause = ROUND_S
            self._stopping.wait(pause)

    def stop(self) -> None:
        """Wait for the page under way."""
        self._stopping.set()
        self.join(5.0)
