"""Studies as a node has them after long use: rows by the thousand, and names for their files.

The files are hard links to a few images: all that is looked at is their names, one header a series,
and that they are there.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from msnode.records.uid_hash import uid_hash
from msnode.store.database import StudyState, instances, open_database, studies
from msnode.store.schema import migrate

SERIES = 4
A_TRANSACTION = 100  # studies


@dataclass(frozen=True)
class Kind:
    """How studies are left.

    Attributes:
        state: theirs.
        age_s: seconds since their last image.
        has_all_files: else one of each series, of which the header is looked at.
    """

    state: StudyState
    age_s: float
    has_all_files: bool


def furnish(data: Path, count: int, images: int, kind: Kind, sources: Sequence[Path]) -> sa.Engine:
    """Fill a data folder; returns its database.

    Args:
        data: is made.
        count: of the studies.
        images: of each.
        kind: of all.
        sources: the files are links to these.
    """
    (data / "instances").mkdir(parents=True)
    engine = open_database(f"sqlite:///{data / 'msnode.sqlite'}")
    migrate(engine)
    chance, at = random.Random(0), time.time() - kind.age_s
    for first in range(0, count, A_TRANSACTION):
        uids = [_uid(chance) for _ in range(first, min(first + A_TRANSACTION, count))]
        rows = [row for uid in uids for row in _instances(uid, images, at, kind, chance)]
        with engine.begin() as connection:
            connection.execute(studies.insert(), [_study(uid, at, kind) for uid in uids])
            connection.execute(instances.insert(), rows)
        _link(data, rows if kind.has_all_files else _firsts(rows), sources)
    return engine


def _uid(chance: random.Random) -> str:
    """As pydicom makes them, which takes longer."""
    return f"2.25.{chance.getrandbits(124)}"


def _study(uid: str, at: float, kind: Kind) -> dict[str, Any]:
    key = uid_hash(uid)
    return {
        "study_key": key, "study_instance_uid": uid, "patient_key": "", "state": kind.state,
        "generation": int(kind.state == StudyState.DONE), "first_at": at, "last_at": at,
        "stat": False,
    }  # fmt: skip


def _instances(
    study: str, images: int, at: float, kind: Kind, chance: random.Random
) -> Iterator[dict[str, Any]]:
    key = uid_hash(study)
    for number in range(images):
        sha256 = f"{chance.getrandbits(256):064x}"
        yield {
            "study_key": key, "series_instance_uid": f"{study}.{number * SERIES // images}",
            "sop_instance_uid": _uid(chance), "sop_class_uid": MRImageStorage,
            "transfer_syntax_uid": ExplicitVRLittleEndian, "size": 131_500, "sha256": sha256,
            "path": f"instances/{key}/{sha256[-16:]}-{sha256[:32]}.dcm",
            "calling_ae_title": "BENCH", "received_at": at, "conflict": False,
            "generation": 1 if kind.state == StudyState.DONE else None,
        }  # fmt: skip


def _firsts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of each series."""
    return list({row["series_instance_uid"]: row for row in reversed(rows)}.values())


def _link(data: Path, rows: Sequence[dict[str, Any]], sources: Sequence[Path]) -> None:
    for folder in {(data / row["path"]).parent for row in rows}:
        folder.mkdir()
    for number, row in enumerate(rows):
        (data / row["path"]).hardlink_to(sources[number % len(sources)])
