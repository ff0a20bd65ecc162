"""The report of shadows: on which studies, and against what readers say; its forms and evidence."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner, Result

from msnode import config
from msnode.cli.main import main
from msnode.errors import ConfigError
from msnode.manage.shadow_report import Comparison, comparisons
from msnode.records.judgement import Judged, Judgement
from msnode.store import judgements
from msnode.store.database import open_database, results, studies
from msnode.store.schema import migrate
from msnode.store.shadow_evidence import read_evidence, verify_evidence
from msnode.store.shadow_tables import shadow_results

OURS, THEIRS = "a" * 64, "f" * 64
SAID: tuple[tuple[str, float, str, float, Judged | None], ...] = (
    ("present", 0.9, "present", 0.8, "agree"),
    ("present", 0.7, "absent", 0.3, "not_ms"),
    ("absent", 0.2, "absent", 0.1, "agree"),
    ("absent", 0.4, "present", 0.6, None),
)
"""In force, the shadow, and what a reader said of the result in force."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    """Of a node whose configuration is ``msnode.yaml``."""
    file = tmp_path / "msnode.yaml"
    file.write_text(yaml.safe_dump({"data": str(tmp_path / "data")}))
    database = open_database(config.load(file).database_url)
    migrate(database)
    with database.begin() as connection:
        for number, said in enumerate(SAID):
            keep(connection, f"{number:016x}", *said)
    yield database
    database.dispose()


def keep(
    connection: sa.Connection, key: str, theirs: str, probability: float,
    ours: str, our_probability: float, told: Judged | None, **more: Any,
) -> None:  # fmt: skip
    """A study, its result, what the shadow says and what a reader says."""
    study = {"study_key": key, "study_instance_uid": key, "patient_key": key, "generation": 1,
             "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    connection.execute(studies.insert(), study)
    same = {"study_key": key, "generation": 1}
    result = {"outcome": theirs, "decision": theirs, "probability": probability,
              "model_digest": THEIRS, "created_at": 1000.0, "folder": "-"}  # fmt: skip
    connection.execute(results.insert(), same | result)
    row = {"shadow": "next", "shadow_digest": OURS, "shadow_version": "hybrid 2.0.0",
           "digest_in_force": THEIRS, "outcome_in_force": theirs,
           "probability_in_force": probability, "state": "compared", "attempts": 0,
           "outcome": ours, "probability": our_probability, "detail": "", "seconds": 2.0,
           "result_at": 1000.0, "updated_at": 0.0}  # fmt: skip
    connection.execute(shadow_results.insert(), same | row | more)
    if told is not None:
        judge(connection, key, told, "eva", 0.0)


def judge(connection: sa.Connection, key: str, told: Judged | None, reader: str, at: float) -> None:
    """Somebody says whether a result is right; None takes it back."""
    name = f"csv:{key}{reader}{at}"
    one = Judgement(name, "csv", key, 1, "counted", told, None, reader, at, at)
    judgements.add(connection, [one])


def only(database: sa.Engine) -> Comparison:
    (found,) = comparisons(database)
    return found


def run(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["shadow", *arguments, "--config", f"{tmp_path}/msnode.yaml"])


def test_the_two_are_compared_on_the_studies_that_both_have_read(database: sa.Engine) -> None:
    with database.begin() as connection:
        keep(connection, "f" * 16, "present", 0.9, "", 0.0, None, state="failed")
    found = only(database)
    assert found.counts == {"compared": 4, "failed": 1}
    assert found.agreement.value == 0.5
    assert found.outcomes == {
        "present": {"present": 1, "absent": 1}, "absent": {"absent": 1, "present": 1},
    }  # fmt: skip
    assert [one.study for one in found.differing] == [f"{1:016x}", f"{3:016x}"]
    assert found.differences.mean == pytest.approx((-0.1 - 0.4 - 0.1 + 0.2) / 4)


def test_readers_judge_both_on_the_same_studies(database: sa.Engine) -> None:
    readers = only(database).readers
    assert readers is not None
    assert (readers.studies, readers.with_ms) == (3, 1)
    assert readers.in_force.specificity.value == 0.5
    assert readers.shadow.specificity.value == 1.0
    assert readers.shadow.sensitivity.value == readers.in_force.sensitivity.value == 1.0
    assert readers.shadow.brier.value == pytest.approx((0.04 + 0.09 + 0.01) / 3)


def test_what_readers_contradict_or_take_back_is_no_truth(database: sa.Engine) -> None:
    with database.begin() as connection:
        judge(connection, f"{0:016x}", "not_ms", "ute", 1.0)
        judge(connection, f"{1:016x}", None, "eva", 1.0)
    readers = only(database).readers
    assert readers is not None
    assert (readers.studies, readers.with_ms) == (1, 0)


def test_bundles_in_force_are_not_mixed(database: sa.Engine) -> None:
    with database.begin() as connection:
        later = {"digest_in_force": "e" * 64}
        keep(connection, "e" * 16, "present", 0.9, "present", 0.8, None, **later)
    assert [one.compared for one in comparisons(database)] == [4, 1]


def test_since_leaves_older_results_out(database: sa.Engine) -> None:
    assert comparisons(database, 1001.0) == []


@pytest.mark.usefixtures("database")
def test_it_is_told_to_people_and_to_programs(tmp_path: Path) -> None:
    text = run(tmp_path, "report").output
    assert "4 studies of 4 patients" in text
    assert f"{3:016x}" in text
    (row,) = csv.DictReader(io.StringIO(run(tmp_path, "report", "--csv").output))
    assert (row["compared"], row["agreement"], row["read"]) == ("4", "0.5", "3")
    (told,) = json.loads(run(tmp_path, "report", "--json").output)
    assert told["outcomes"]["absent"] == {"absent": 1, "present": 1}


@pytest.mark.usefixtures("database")
def test_evidence_is_of_one_bundle_and_says_on_how_much(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    assert run(tmp_path, "evidence", "next", "--out", str(file)).exit_code == 0
    found = verify_evidence(file, OURS)
    assert (found.version, found.compared, found.digest_in_force) == ("hybrid 2.0.0", 4, THEIRS)
    assert found.report["agreement"]["value"] == 0.5
    with pytest.raises(ConfigError, match="name the bundle that was compared"):
        verify_evidence(file, THEIRS)
    refused = run(tmp_path, "evidence", "other", "--out", str(tmp_path / "none.json"))
    assert "no study was compared" in refused.output
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 1}', b"\xff\xfe", b'{"compared":'])
def test_what_is_no_evidence_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"classify\.evidence"):
        read_evidence(file)
    file.unlink()
    with pytest.raises(ConfigError, match="msnode shadow evidence"):
        read_evidence(file)
