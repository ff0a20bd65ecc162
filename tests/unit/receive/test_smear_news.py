"""When images of blood smears make a study worth analysing, and when pictures do not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom import Dataset
from pydicom.uid import (
    SecondaryCaptureImageStorage,
    VLMicroscopicImageStorage,
    VLPhotographicImageStorage,
    VLSlideCoordinatesMicroscopicImageStorage,
)

from msnode import config, prepare
from msnode.config import Classify, Config, Smears
from msnode.receive import Inbox
from msnode.receive.dicom.sop_classes import Analysed, analysed
from msnode.records.images import InputContract, Study
from msnode.store.database import open_database, results, studies
from msnode.store.schema import migrate
from tests import smears
from tests.unit.receive.datasets import mr, store

CONTRACT = InputContract((prepare.SMEAR,), 224, 224, tile_px=96)
PICTURE = smears.drawn(1, nuclei=False)
READ = analysed(Config(classify=Classify(smears=Smears(Path("bundle")))))
ALSO_CAPTURES = analysed(
    Config(classify=Classify(smears=Smears(Path("bundle"), secondary_captures=True)))
)
RULE = config.Complete()
Open = Callable[[Analysed], Inbox]


@pytest.fixture
def open_inbox(tmp_path: Path) -> Iterator[Open]:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    opened: list[Inbox] = []

    def made(what: Analysed) -> Inbox:
        opened.append(Inbox(database, tmp_path / "data", analysed=what))
        return opened[-1]

    yield made
    for inbox in opened:
        inbox.close()
    database.dispose()


def wanted(paths: Sequence[Path]) -> bool:
    return prepare.has_smear(paths, CONTRACT)


def complete(inbox: Inbox, at: float = 9999.0) -> list[Study]:
    return inbox.complete(at, RULE, wanted)


def states(inbox: Inbox) -> list[str]:
    with inbox.engine.connect() as connection:
        return list(connection.scalars(sa.select(studies.c.state)))


def picture(sop_class: Any, **attributes: Any) -> Dataset:
    return smears.dicom(PICTURE, sop_class, **attributes)


def photograph(**attributes: Any) -> Dataset:
    return picture(VLPhotographicImageStorage, **({"Modality": "XC"} | attributes))


def capture(**attributes: Any) -> Dataset:
    return picture(SecondaryCaptureImageStorage, **({"Modality": "OT"} | attributes))


@pytest.mark.parametrize(
    "sop_class", [VLMicroscopicImageStorage, VLSlideCoordinatesMicroscopicImageStorage,
                  VLPhotographicImageStorage, SecondaryCaptureImageStorage],
)  # fmt: skip
def test_without_the_setting_they_are_stored_and_start_nothing(
    open_inbox: Open, sop_class: Any
) -> None:
    inbox = open_inbox(analysed(Config()))
    assert store(inbox, picture(sop_class, StudyDescription="Blood smear")) == "stored"
    assert complete(inbox) == []
    assert states(inbox) == ["done"]


@pytest.mark.parametrize(
    "sop_class", [VLMicroscopicImageStorage, VLSlideCoordinatesMicroscopicImageStorage]
)
def test_a_microscopic_image_is_a_smear(open_inbox: Open, sop_class: Any) -> None:
    inbox = open_inbox(READ)
    store(inbox, picture(sop_class))
    (study,) = complete(inbox)
    assert study.sop_classes == (str(sop_class),)


REGION = Dataset()
REGION.CodeValue, REGION.CodingSchemeDesignator, REGION.CodeMeaning = "87612001", "SCT", "Blood"


@pytest.mark.parametrize(
    "attributes",
    [{"StudyDescription": "Blutausstrich, rot"}, {"SeriesDescription": "blood smear 40x"},
     {"AnatomicRegionSequence": [REGION]}],
)  # fmt: skip
def test_a_photograph_counts_where_its_header_says_smear(
    open_inbox: Open, attributes: dict[str, Any]
) -> None:
    inbox = open_inbox(READ)
    store(inbox, photograph(**attributes))
    assert len(complete(inbox)) == 1


def test_a_photograph_of_something_else_is_laid_to_rest(open_inbox: Open) -> None:
    inbox = open_inbox(READ)
    store(inbox, photograph(StudyDescription="Left foot"))
    assert complete(inbox, 100.0 + RULE.quiet_s + 1) == []
    assert states(inbox) == ["receiving"]
    assert complete(inbox) == []
    assert states(inbox) == ["done"], "retention may delete it"
    assert complete(inbox, 99999.0) == []


def test_a_capture_counts_only_by_setting_and_header(open_inbox: Open) -> None:
    inbox = open_inbox(READ)
    store(inbox, capture(Modality="GM"))
    assert complete(inbox) == [], "not by default"
    inbox = open_inbox(ALSO_CAPTURES)
    store(inbox, capture(StudyDescription="Screen shot"))
    assert complete(inbox) == [], "not by its class alone"
    store(inbox, capture(Modality="GM"))
    store(inbox, capture(Modality="OT", StudyDescription="Frottis sanguin"))
    assert len(complete(inbox)) == 2


def test_a_capture_beside_mr_images_is_never_a_smear(open_inbox: Open) -> None:
    """Whatever it says, and whenever it comes."""
    inbox = open_inbox(ALSO_CAPTURES)
    image = mr()
    same = {"StudyInstanceUID": image.StudyInstanceUID, "PatientID": image.PatientID}
    shot = {"Modality": "GM", "StudyDescription": "Blood smear"} | same
    store(inbox, capture(**shot))
    store(inbox, image)
    (study,) = inbox.complete(9999.0, RULE, lambda _: False)
    row = {"study_key": study.key, "generation": 1, "outcome": "absent", "model_digest": "",
           "created_at": 0.0, "folder": ""}  # fmt: skip
    with inbox.engine.begin() as connection:
        connection.execute(results.insert(), row)
    inbox.studies.finish(study.key, 1)
    assert states(inbox) == ["done"]
    store(inbox, capture(**shot), at=20000.0)
    assert states(inbox) == ["done"], "a result is not made again for it"
    assert not prepare.has_smear(inbox.studies.study(study.key, 1).paths, CONTRACT)
