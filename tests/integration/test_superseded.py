"""A result that a revised one has replaced is not sent after it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.config import Folder
from msnode.deliver.deliveries import Deliveries
from msnode.deliver.verification import Delivery
from msnode.records.receipt import Receipt
from msnode.store.database import open_database, results, studies
from msnode.store.receipts import Receipts
from msnode.store.schema import migrate

STUDY = "a" * 16


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    """A study with results of two generations, on SQLite and on PostgreSQL."""
    engine = open_database(database_url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(
            studies.insert().values(
                study_key=STUDY, study_instance_uid="1.2", patient_key="", generation=2,
                state="done", first_at=1.0, last_at=2.0,
            )
        )  # fmt: skip
        for generation in (1, 2):
            connection.execute(
                results.insert().values(
                    study_key=STUDY, generation=generation, outcome="present",
                    model_digest="d" * 64, created_at=1.0, folder="work",
                )
            )  # fmt: skip
    yield engine
    engine.dispose()


def delivery(generation: int, path: Path, folder: Path) -> Delivery:
    """Of one object, into a folder."""
    archive = Folder("archive", folder)
    return Delivery(archive, STUDY, generation, {f"1.2.{generation}": path}, "MSNODE", 0.0)


def test_an_older_result_that_waited_is_not_sent(
    database: sa.Engine, save_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    deliveries, out = Deliveries(database), tmp_path / "out"
    for generation in (2, 1):  # the first one was held up by a dead PACS
        made = delivery(generation, save_dicom(f"1.2.{generation}"), out)
        assert deliveries.attempt(made, 1) == {"delivered": True, "pause_s": None}
    assert len(list(out.glob("*.dcm"))) == 1
    (old,) = Receipts(database).of(STUDY, 1)
    assert (old.superseded, old.delivered) == (True, False)
    assert old.detail == "superseded by revision 2"


def test_the_rest_of_what_was_partly_sent_follows(
    database: sa.Engine, save_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    made = delivery(1, save_dicom("1.2.1"), tmp_path / "out")
    Receipts(database).save(Receipt("archive", "1.2.9", 0, True, 1), STUDY, 1)
    assert Deliveries(database).attempt(made, 2)["delivered"]
    assert len(list((tmp_path / "out").glob("*.dcm"))) == 1
