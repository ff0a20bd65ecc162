"""Studies whose truth is known, as an index of the learning bench: volumes, masks, pseudonyms.

What is kept of a visit is written, the scan on the grid on which it was acquired: no header and no
date leaves the node, but a head can be recognised by its face (docs/feedback.md).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from msnode.errors import MsnodeError
from msnode.learn.data import index_csv
from msnode.learn.data.ras_nifti import save
from msnode.manage.evidence_cases import EvidenceCase, cases_of
from msnode.records.feedback import Feedback, rejected, standing
from msnode.records.images import Float64Array
from msnode.records.ras_volume import RasVolume
from msnode.store.database import results
from msnode.store.patients import index_key
from msnode.store.reader_feedback import every
from msnode.store.visit_images import ARRAYS, visit_folder, visit_images, visit_record

LABELS = {"present": "ms", "absent": "control"}
INDEX = "index.csv"
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Written:
    """What became of the studies.

    Attributes:
        rows: of the index.
        gone: studies whose images are not kept.
        disputed: studies of which readers contradict each other.
        read: masks that a reader has corrected or agreed with.
        own: masks as the node outlined them.
    """

    rows: list[index_csv.Row] = field(default_factory=list)
    gone: int = 0
    disputed: int = 0
    read: int = 0
    own: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where studies come from.

    Attributes:
        data: the node's data folder.
        secret: see `patients.patient_secret`.
        site: what the index calls it.
        own_outlines: whether the node's own outlines are written where no reader has judged them.
    """

    data: Path
    secret: bytes
    site: str
    own_outlines: bool


def write_index(
    database: sa.Engine,
    source: Source,
    out: Path,
    since: float = 0.0,
    heard: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write volumes, masks and the index.

    Args:
        database: migrated.
        source: of the studies.
        out: a folder that is made, or holds no index yet.
        since: results made since, unix s.
        heard: hears of each study that is written, by its key.

    Raises:
        MsnodeError: there is an index already; or no study whose truth is known is here.
    """
    if (out / INDEX).exists():
        raise MsnodeError(f"{out / INDEX} is there already; give another folder")
    with database.connect() as connection:
        cases = cases_of(connection, since)
        said = _by_study(every(connection))
        generations = _generations(connection)
    done = Written(disputed=sum(one.truth == "disputed" for one in cases))
    out.mkdir(parents=True, exist_ok=True)
    by_person: dict[str, list[EvidenceCase]] = defaultdict(list)
    for one in cases:
        if one.is_true is not None:
            by_person[one.person].append(one)
    for person, mine in by_person.items():
        name = index_key(source.secret, person)
        for visit, one in enumerate(sorted(mine, key=lambda one: generations[one.study_key][1]), 1):
            place = visit_folder(source.data, one.study_key, generations[one.study_key][0])
            _write(one, place, said.get(one.study_key, []), source, out / f"{name}_{visit}", done)
            heard(one.study_key)
    if not done.rows:
        raise MsnodeError(
            f"no study whose truth is known is here with its images ({done.gone} without): import "
            "verdicts, or see retention.visits_days"
        )
    index_csv.write(out / INDEX, done.rows)
    return done


def _by_study(said: Sequence[Feedback]) -> dict[str, list[Feedback]]:
    found: dict[str, list[Feedback]] = defaultdict(list)
    for one in said:
        found[one.study_key].append(one)
    return found


def _generations(connection: sa.Connection) -> dict[str, tuple[int, str]]:
    """Newest generation and study date of each study."""
    of = results.c
    query = sa.select(of.study_key, of.generation, of.study_date).order_by(of.generation)
    return {key: (generation, day or "") for key, generation, day in connection.execute(query)}


def _write(
    one: EvidenceCase,
    place: Path,
    said: Sequence[Feedback],
    source: Source,
    stem: Path,
    done: Written,
) -> None:
    """A study's volume and mask, if it is kept."""
    record = visit_record(place)
    if record is None or not (place / ARRAYS).exists():
        done.gone += 1
        return
    images = visit_images(place)
    path = stem.with_name(f"{stem.name}.nii.gz")
    save(RasVolume(images.flair.astype(np.float32) * np.float32(record.scale), record.affine), path)
    here = [word for word in said if str(word.generation) == place.name]
    mask = judged_mask(images.numbers, record.affine, here)
    lesions = None
    if mask is not None:
        lesions, done.read = stem.with_name(f"{stem.name}_lesions_reader.nii.gz"), done.read + 1
    elif source.own_outlines:
        lesions, done.own = stem.with_name(f"{stem.name}_lesions_node.nii.gz"), done.own + 1
        mask = images.numbers > 0
    if lesions is not None and mask is not None:
        save(RasVolume(mask, record.affine), lesions)
    person, _, visit = stem.name.rpartition("_")
    done.rows.append(
        index_csv.Row(
            path=path.resolve(),
            person=person,
            label=LABELS[one.truth],
            site=source.site,
            scanner=one.scanner,
            sequence=f"FLAIR {one.sequence}".strip(),
            visit=visit,
            age=one.age,
            sex=one.sex,
            lesions=lesions.resolve() if lesions is not None else None,
        )
    )


def judged_mask(
    numbers: NDArray[np.uint16], affine: Float64Array, said: Sequence[Feedback]
) -> Mask | None:
    """The outlines as readers left them: without what was rejected, with balls where some missed.

    Args:
        numbers: (columns, rows, slices) of the lesions, 0 elsewhere.
        affine: (4, 4) from indices to RAS mm.
        said: feedback on just that result.

    Returns:
        None where no reader has agreed, rejected or added.
    """
    stands = standing(said)
    if not any(one.kind in ("agree", "reject", "add") for one in stands):
        return None
    mask = (numbers > 0) & ~np.isin(numbers, sorted(rejected(said)))
    for one in stands:
        if one.kind == "add" and one.place is not None:
            mask |= _ball(mask.shape, affine, one.place.ras, one.place.diameter_mm / 2)
    return mask


def _ball(
    shape: tuple[int, ...],
    affine: Float64Array,
    centre: tuple[float, float, float],
    radius_mm: float,
) -> Mask:
    """The voxels within a radius of a point, at least the nearest one."""
    indices = np.indices(shape).reshape(3, -1)
    at = affine[:3, :3] @ indices + affine[:3, 3:]
    distances = np.linalg.norm(at - np.array(centre)[:, None], axis=0)
    inside: Mask = (distances <= max(radius_mm, float(distances.min()))).reshape(shape)
    return inside
