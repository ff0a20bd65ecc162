"""Results of studies as a node leaves them, for the pages: without network and DICOM."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset

from msnode.config import Describe
from msnode.flow.past import entry
from msnode.lesions import Compared, Found, Visit, kept
from msnode.lesions.kept import Kept
from msnode.manage.reading_list import words_of
from msnode.pages.frame.site import Site
from msnode.records.images import Study
from msnode.records.population import Acquisition
from msnode.records.results import Report
from msnode.records.sentences import Sentence, to_json
from msnode.records.uid_hash import uid_hash
from msnode.report import wording
from msnode.report.case import Case, images
from msnode.report.report_file import FILE, write_report
from msnode.report.study_header import Header
from msnode.store.database import StudyState, results, studies
from msnode.store.page_tables import study_labels, verdicts
from msnode.store.patients import patient_key
from msnode.twin import Twin
from tests import lesion_reports, reports

Language = Literal["en", "de", "fr", "es", "nl"]


@dataclass(frozen=True)
class Patient:
    """Whom a study is of."""

    patient_id: str = "P-17"
    name: str = "DOE^JANE"
    accession: str = "A-1"
    study_date: str = "20240115"
    issuer: str = ""


JANE = Patient()


def compared(folder: Path) -> Report:
    """A synthetic head with lesions, compared with an earlier scan."""
    return lesion_reports.compared(lesion_reports.painted(reports.synthetic(folder)))


def keep_result(
    site: Site, made: Report, patient: Patient = JANE, *, with_images: bool = True
) -> str:
    """Put a result where a node would; returns the study's key."""
    key = uid_hash(made.study_instance_uid)
    keep_study(site, made.study_instance_uid, made.generation, patient)
    folder = site.config.data / "work" / key / str(made.generation)
    folder.mkdir(parents=True, exist_ok=True)
    write_report(made, folder / FILE)
    study = Study(made.study_instance_uid, made.generation, "quiet", (), 0.0)
    outcome = made.finding.decision if made.finding is not None else "not_analysed"
    place = str(folder.relative_to(site.config.data))
    Twin(site.database).record(entry(made, study, outcome, patient.study_date, place))
    if with_images:
        _keep_visit(site, made, key, patient)
    return key


def keep_study(site: Site, uid: str, generation: int, patient: Patient = JANE) -> str:
    """A study that is done, and what its images say of the patient."""
    key = uid_hash(uid)
    row = {
        "study_key": key, "study_instance_uid": uid, "generation": generation,
        "patient_key": patient_key(site.secret, patient.patient_id, patient.issuer),
        "state": StudyState.DONE, "first_at": time.time(), "last_at": time.time(),
    }  # fmt: skip
    label = {
        "study_key": key, "patient_id": patient.patient_id, "issuer": patient.issuer,
        "patient_name": patient.name, "name_folded": " ".join(words_of(patient.name)),
        "birth_date": "19800102", "sex": "F", "accession_number": patient.accession,
        "study_date": patient.study_date, "description": "MR HEAD", "labelled_at": 0.0,
    }  # fmt: skip
    with site.database.begin() as connection:
        mine = studies.c.study_key == key
        if connection.execute(studies.update().where(mine).values(generation=generation)).rowcount:
            return key
        connection.execute(studies.insert(), row)
        connection.execute(study_labels.insert(), label)
    return key


def _keep_visit(site: Site, made: Report, key: str, patient: Patient) -> None:
    if made.maps is None or made.lesions is None:
        return
    maps = made.maps
    _, affine = lesion_reports.volume(made)
    found = Found(
        maps.labels, maps.numbers, np.zeros(maps.labels.shape, np.float32), made.lesions.lesions
    )
    known = Kept(
        key, patient.study_date, Acquisition(), 5.0, "d" * 64, affine, 1.0, (), None,
        made.lesions.comparison,
    )  # fmt: skip
    beside = None
    if maps.prior is not None:
        numbers = np.where(maps.changes == 2, 0, maps.numbers).astype(np.uint16)
        numbers[maps.changes == lesion_reports.GONE] = 99
        beside = Compared(made.lesions.comparison, (), maps.changes, maps.prior, numbers)
    kept.keep(site.config.data, made.generation, known, Visit(maps.flair, affine, found), beside)


def revised(made: Report) -> Report:
    """The same study again, with more images."""
    return replace(made, generation=made.generation + 1, created_at=made.created_at + 60)


def said(made: Report, language: Language) -> list[str]:
    """The sentences of a result's objects."""
    evidence = images(made.evidence, made.study_instance_uid)
    case = Case(made, Describe(language=language), Header(Dataset()), evidence)
    return [*wording.outcome(case), *wording.notes(case), *wording.method(case)]


def many(site: Site, number: int) -> None:
    """Results of many studies, as rows alone; a tenth is urgent, half has been read."""
    now = time.time()
    keys = [f"{one:016x}" for one in range(number)]
    common = {"state": StudyState.DONE, "first_at": now, "last_at": now, "generation": 1}
    label = {
        "issuer": "", "birth_date": "", "sex": "F", "study_date": "20240101", "labelled_at": now,
        "description": "MR HEAD",
    }  # fmt: skip
    result = {
        "generation": 1, "outcome": "present", "model_digest": "d", "folder": "w", "new_lesions": 1,
        "lesion_count": 9, "lesion_ml": 3.0, "comparison": "compared", "enlarging_lesions": 0,
        "priority_why": json.dumps(to_json(Sentence("because_new", count=1))),
    }  # fmt: skip
    rows = list(enumerate(keys))
    with site.database.begin() as connection:
        connection.execute(
            studies.insert(),
            [
                {"study_key": k, "study_instance_uid": k, "patient_key": f"{n:032x}"} | common
                for n, k in rows
            ],
        )
        connection.execute(
            study_labels.insert(),
            [
                {"study_key": k, "patient_id": f"P-{n}", "patient_name": f"DOE^{n}",
                 "name_folded": f"doe {n}", "accession_number": f"A{n}"} | label
                for n, k in rows
            ],
        )  # fmt: skip
        connection.execute(
            results.insert(),
            [
                {"study_key": k, "created_at": now - n, "urgent": n % 10 == 0} | result
                for n, k in rows
            ],
        )
        given = {"generation": 1, "given_at": now, "given_by": "eva", "told": "[]"}
        connection.execute(verdicts.insert(), [{"study_key": k} | given for n, k in rows if n % 2])
