"""A node's folder with a patient's record, and `msnode twin` on it."""

from pathlib import Path

import sqlalchemy as sa
from click.testing import CliRunner, Result

from msnode.cli.main import main
from msnode.store.database import (
    clinical_events,
    open_database,
    results,
    studies,
)
from msnode.store.patients import patient_key, patient_secret

HEADER = "patient,issuer,date,kind,value,unit,detail,note,identifier,replaces\n"
RECORD = """4711,,,birth_year,1980,,,,,
4711,,,sex,f,,,,,
4711,HOSPITAL,2019-05-01,onset,,,,,,
4711,,2020-01-10,edss,2,,visual=1;pyramidal=2,,e1,
4711,,2020-01-10,edss,3,,,"typed wrong, sorry",e2,e1
4711,,2020-02-01,treatment_begun,interferon beta-1a,,,,,
4711,,2021-01-10,t25fw,5.10,s,,,,
"""


def run(node: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["-v", "twin", *arguments, "--config", str(node / "msnode.yaml")]
    )


def given(node: Path, text: str, name: str = "events.csv") -> Result:
    (node / name).write_text(HEADER + text)
    return run(node, "import", str(node / name))


def rows(node: Path) -> list[sa.RowMapping]:
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    with engine.connect() as connection:
        found = list(connection.execute(sa.select(clinical_events)).mappings())
    engine.dispose()
    return found


def with_study(node: Path, issuer: str = "") -> None:
    """A study of the patient, with a comparison."""
    key = patient_key(patient_secret(node / "data" / "patient.key"), "4711", issuer)
    engine = open_database(f"sqlite:///{node / 'data' / 'msnode.sqlite'}")
    with engine.begin() as connection:
        connection.execute(
            studies.insert().values(
                study_key="a" * 16, study_instance_uid="1.2.3", patient_key=key, generation=1,
                state="done", first_at=1.0, last_at=2.0,
            )
        )  # fmt: skip
        connection.execute(
            results.insert().values(
                study_key="a" * 16, generation=1, outcome="present", model_digest="d",
                created_at=1.0, folder="f", study_date="20210110", prior_date="20200110",
                lesion_count=17, lesion_ml=4.25, new_lesions=2, enlarging_lesions=1,
            )
        )  # fmt: skip
    engine.dispose()
