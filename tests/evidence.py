"""Results of many studies as rows alone, and what is known of their truth."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from msnode.records.judgement import Diagnosis, Judged, Judgement
from msnode.store import judgements
from msnode.store.database import open_database, results, studies
from msnode.store.evidence_tables import study_values
from msnode.store.patients import accession_key, patient_secret
from msnode.store.schema import migrate

NOON = datetime(2026, 3, 1, 12).timestamp()


@dataclass(frozen=True)
class One:
    """A study with a result."""

    key: str
    decision: str = "present"
    probability: float = 0.9
    person: str = ""
    accession: str = ""
    at: float = NOON
    scanner: str = "SIEMENS Skyra 3.0 T"
    age: float | None = 44.0
    sex: str = "F"
    model: str = "hybrid 1.0"
    generation: int = 1
    told: Mapping[str, float] = field(default_factory=dict)


def node_in(folder: Path) -> tuple[sa.Engine, Path]:
    """A database, migrated, and the configuration of its node."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "msnode.yaml"
    file.write_text(f"data: {folder / 'data'}\n")
    engine = open_database(f"sqlite:///{folder / 'data' / 'msnode.sqlite'}")
    migrate(engine)
    return engine, file


def keep(engine: sa.Engine, folder: Path, many: Iterable[One]) -> None:
    """Put studies with their results on record."""
    secret = patient_secret(folder / "data" / "patient.key")
    every = list(many)
    with engine.begin() as connection:
        connection.execute(
            studies.insert(),
            [
                {
                    "study_key": one.key,
                    "study_instance_uid": f"1.2.{int(one.key, 16)}",
                    "patient_key": (one.person or one.key).rjust(32, "0"),
                    "generation": 1,
                    "state": "done",
                    "first_at": one.at,
                    "last_at": one.at,
                    "accession_key": accession_key(secret, one.accession),
                }
                for one in every
            ],
        )
        connection.execute(
            results.insert(),
            [
                {
                    "study_key": one.key,
                    "generation": one.generation,
                    "outcome": one.decision,
                    "decision": None if one.decision == "not_analysed" else one.decision,
                    "probability": None if one.decision == "not_analysed" else one.probability,
                    "model": one.model,
                    "model_digest": "d" * 64,
                    "created_at": one.at,
                    "folder": f"work/{one.key}/1",
                }
                for one in every
            ],
        )
        connection.execute(study_values.insert(), [
            {"study_key": one.key, "generation": one.generation, "recorded_at": one.at,
             "scanner": one.scanner, "sequence": "2D", "age": one.age, "sex": one.sex,
             "told": json.dumps(dict(one.told))} for one in every])  # fmt: skip


def judge(
    engine: sa.Engine,
    key: str,
    judged: Judged | None,
    reader: str = "r",
    *,
    diagnosis: Diagnosis | None = None,
    at: float = NOON,
) -> None:
    """Somebody judges a study."""
    one = Judgement(f"csv:{key}{reader}{at}{judged}"[:64], "csv", key, 1, "counted", judged,
                    diagnosis, reader, at, at)  # fmt: skip
    with engine.begin() as connection:
        judgements.add(connection, [one])


def key(number: int) -> str:
    """Of a study."""
    return f"{number:016x}"
