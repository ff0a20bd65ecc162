"""Labels of studies: read tolerantly, made once, again for newer images, gone with the data."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.manage.study_labels import Labelling, Labels, folded, name_begins
from msnode.receive import Inbox
from msnode.records.uid_hash import uid_hash
from msnode.retention.forget import forget
from msnode.store.database import studies
from msnode.store.page_tables import study_labels
from tests.unit.receive.datasets import STUDY, mr, raw_element, store

KEY = uid_hash(STUDY)


@pytest.fixture
def inbox(database: sa.Engine, tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(database, tmp_path)
    yield made
    made.close()


def labelled(database: sa.Engine, data: Path) -> list[dict[str, Any]]:
    """All labels, after all studies were looked at."""
    labels = Labels(database, data)
    while labels.update():
        continue
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(study_labels)).mappings()]


def found(database: sa.Engine, words: str) -> bool:
    with database.connect() as connection:
        return bool(connection.scalars(sa.select(study_labels).where(name_begins(words))).all())


def test_a_label_says_what_the_newest_image_says(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr(AccessionNumber="A1", StudyDate="20260102", StudyDescription="Head"))
    (label,) = labelled(database, tmp_path)
    wanted = {
        "study_key": KEY, "patient_id": "4711", "patient_name": "Doe^Jane",
        "name_folded": "doe jane", "accession_number": "A1", "study_date": "20260102",
        "description": "Head", "birth_date": "",
    }  # fmt: skip
    assert wanted.items() <= label.items()


def test_newer_images_make_it_anew_and_the_same_again_does_nothing(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr(PatientName="Doe^Jane"))
    (before,) = labelled(database, tmp_path)
    assert labelled(database, tmp_path) == [before]
    store(inbox, mr(PatientName="Doe^Janet"), at=time.time() + 1)
    with database.begin() as connection:
        connection.execute(studies.update().values(last_at=time.time() + 1))
    labels = Labels(database, tmp_path)
    assert labels.update() == 1
    with database.connect() as connection:
        assert connection.scalar(sa.select(study_labels.c.patient_name)) == "Doe^Janet"


@pytest.mark.parametrize(
    ("charset", "encoded", "shown"),
    [
        (b"ISO_IR 100", "Müller^Jürgen".encode("latin-1"), "Müller^Jürgen"),
        (b"ISO_IR 192", "Łukasz^Żak".encode(), "Łukasz^Żak"),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
         "Yamada^Tarou=山田^太郎"),
        (b"NONSENSE", b"Doe^J\xfcrgen", "Doe^Jürgen"),
        (b"ISO_IR 192", b"Doe^J\xff", "Doe^J\ufffd"),
        (b"ISO_IR 192", b"<script>\x00\x07x", "<script>  x"),
    ],
    ids=["latin-1", "utf-8", "japanese", "unknown set", "broken", "control characters"],
)  # fmt: skip
def test_names_are_read_in_any_character_set(
    charset: bytes, encoded: bytes, shown: str, inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    (path,) = (tmp_path / "instances").glob("*/*.dcm")
    content = path.read_bytes()
    meta = content[: content.index(b"\x08\x00\x16\x00UI")]
    elements = raw_element(8, 5, b"CS", charset) + raw_element(0x10, 0x10, b"PN", encoded)
    path.write_bytes(meta + elements)
    (label,) = labelled(database, tmp_path)
    assert label["patient_name"].rstrip() == shown


def test_names_are_found_by_how_they_begin_whatever_the_spelling(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr(PatientName="Müller-Lüdenscheidt^Hans"))
    labelled(database, tmp_path)
    for words in ("MULLER", "müller-lü", "Muller-Ludenscheidt, Hans", "müller-lüdenscheidt^h"):
        assert found(database, words), words
    for words in ("%", "hans", "muller_"):
        assert not found(database, words), words
    assert folded("Yamada^Tarou=山田^太郎") == "yamada tarou|山田 太郎"


def test_without_images_a_result_object_tells_and_nothing_where_none_can_be_read(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    (path,) = (tmp_path / "instances").glob("*/*.dcm")
    place = tmp_path / "work" / KEY / "2" / "minimal" / "sr.dcm"
    place.parent.mkdir(parents=True)
    content = path.read_bytes()
    path.write_bytes(b"no DICOM at all")
    assert labelled(database, tmp_path) == []
    place.write_bytes(content)
    assert labelled(database, tmp_path)[0]["patient_id"] == "4711"


def test_labels_go_with_their_study_and_where_no_patients_are_shown(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    store(inbox, mr(StudyInstanceUID="2.25.7"))
    assert len(labelled(database, tmp_path)) == 2
    forget(database, tmp_path, STUDY)
    assert [label["study_key"] for label in labelled(database, tmp_path)] == [uid_hash("2.25.7")]
    assert Labels(database, tmp_path).drop_all() == 1


def test_a_study_of_which_nothing_is_left_is_not_looked_at_again(
    inbox: Inbox, database: sa.Engine, tmp_path: Path
) -> None:
    store(inbox, mr())
    gone = {"images_deleted_at": 200.0, "results_deleted_at": 300.0}
    with database.begin() as connection:
        connection.execute(studies.update().values(gone))
    assert Labels(database, tmp_path).update() == 0
    with database.begin() as connection:
        connection.execute(studies.update().values(last_at=250.0))  # images came again
    assert Labels(database, tmp_path).update() == 1


def test_the_thread_goes_on_after_an_error(
    inbox: Inbox, database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.manage.study_labels.ROUND_S", 0.01)
    store(inbox, mr())
    labels = Labels(database, tmp_path)
    once = iter([sa.exc.OperationalError("", None, Exception())])
    update = labels.update

    def failing() -> int:
        for error in once:
            raise error
        return update()

    monkeypatch.setattr(labels, "update", failing)
    thread = Labelling(labels)
    thread.start()
    end = time.monotonic() + 5
    while not found(database, "doe") and time.monotonic() < end:
        time.sleep(0.01)
    thread.stop()
    assert found(database, "doe")
    assert not thread.is_alive()
