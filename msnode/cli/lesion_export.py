"""All lesions of a node in one file: what `msnode lesions export` writes."""

from collections.abc import Iterator
from pathlib import Path

from msnode.errors import MsnodeError
from msnode.lesions import kept
from msnode.lesions.kept import Kept
from msnode.manage.table_file import write_rows
from msnode.records.lesions import LesionChange
from msnode.store.visit_images import FOLDER

COLUMNS = (
    "study", "study_date", "days", "comparison", "id", "identity", "region", "laterality", "mm3",
    "diameter", "images", "probability", "change", "mm3_before", "model",
)  # fmt: skip
Row = dict[str, object]


def export(data: Path, out: Path) -> int:
    """Write a row a lesion, of every visit that is kept; a lesion that is gone has no id.

    Args:
        data: the node's data folder.
        out: CSV, or JSON if it is called so.

    Returns:
        Number of rows.

    Raises:
        MsnodeError: no visit is kept.
    """
    studies = sorted(path.name for path in (data / FOLDER).glob("*"))
    visits = [one for one in (kept.known(data, study) for study in studies) if one is not None]
    if not visits:
        raise MsnodeError(f"{data} keeps no visit: no study has been outlined yet")
    rows = [row for visit in visits for row in _rows(visit)]
    write_rows(rows, COLUMNS, out)
    return len(rows)


def _rows(visit: Kept) -> Iterator[Row]:
    """The lesions of a visit, then those that are gone since the one before."""
    told = visit.comparison
    every: Row = {
        "study": visit.study_key,
        "study_date": visit.study_date,
        "days": told.days,
        "comparison": told.status,
        "model": visit.digest[:12],
    }
    changes = {one.number: one for one in told.changes if one.number}
    axial = abs(visit.affine[2, 2]) > max(abs(visit.affine[:2, 2]))
    for lesion in visit.lesions:
        change = changes.get(lesion.number)
        yield every | {
            "id": lesion.number,
            "identity": lesion.identity,
            "region": lesion.region,
            "laterality": lesion.laterality,
            "mm3": round(lesion.mm3, 1),
            "diameter": round(lesion.diameter_mm, 1),
            "images": ";".join(str(n + 1) for n in lesion.slices) if axial else "",
            "probability": round(lesion.probability, 3),
            "change": change.change if change is not None else None,
            "mm3_before": _before(change) if change is not None else None,
        }
    yield from (every | _gone(one) for one in told.changes if not one.number)


def _gone(one: LesionChange) -> Row:
    """What is left to say of a lesion that is gone."""
    return {
        "id": None, "identity": one.identity, "region": one.region, "laterality": one.laterality,
        "mm3": 0.0, "diameter": None, "images": "", "probability": None, "change": one.change,
        "mm3_before": _before(one),
    }  # fmt: skip


def _before(change: LesionChange) -> float | None:
    """Volume in the earlier scan, mm3; None where it was too faint to be outlined."""
    return None if change.mm3_before is None else round(change.mm3_before, 1)
