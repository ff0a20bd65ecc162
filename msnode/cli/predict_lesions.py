"""Lesions in `msnode predict`: outlined, and compared with an earlier scan given by hand."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msnode import prepare
from msnode.cli import scans
from msnode.confined import Confined
from msnode.errors import MsnodeError
from msnode.flow.analysis import Outline, prepared
from msnode.flow.lesion_analysis import about, compared, outlined
from msnode.lesions import Bundle, Visit
from msnode.lesions.kept import Kept
from msnode.records.images import InputContract, Prepared, SourceVolume
from msnode.records.lesions import REGIONS, LesionFinding, LesionMaps
from msnode.records.uid_hash import uid_hash
from msnode.report import Origin


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier scan.

    Attributes:
        visit: the scan and what was found in it.
        known: what is known of it.
        origin: whose it is.
        files: in which it lies.
    """

    visit: Visit
    known: Kept
    origin: Origin
    files: frozenset[Path]


def outliner(bundle: Bundle, reader: Confined, earlier: Earlier | None) -> Outline:
    """What outlines each study, and compares it with the earlier scan, if there is one."""

    def outline(study: Prepared, volume: SourceVolume) -> tuple[LesionFinding, LesionMaps | None]:
        now = outlined(_key(study), study.slices, volume, bundle)
        if earlier is None or now.visit is None or scans.is_itself(earlier.files, study.paths):
            return now.finding, now.maps
        origin = scans.origin(study.paths[0], reader)
        here = about(_key(study), origin.study_date, study.slices, now)
        now = compared(now, lambda: earlier.visit, earlier.known, here, bundle)
        told = scans.of_patients(now.finding.comparison, earlier.origin, origin)
        return replace(now.finding, comparison=told), now.maps

    return outline


def earlier_scan(path: Path, contract: InputContract, bundle: Bundle, reader: Confined) -> Earlier:
    """Read and outline the earlier scan.

    Raises:
        MsnodeError: there is none, more than one, or it cannot be outlined.
    """
    files = scans.earlier(path)
    with TemporaryDirectory(prefix="msnode-") as name:
        analysis = prepared(files, contract, reader, Path(name))
        if analysis.reason is not None:
            raise MsnodeError(f"--prior: {analysis.reason}")
        study, volume = prepare.load(Path(name)), prepare.load_volume(Path(name))
    then = outlined(_key(study), study.slices, volume, bundle)
    if then.visit is None:
        raise MsnodeError(f"--prior: {then.finding.reason}")
    origin = scans.origin(study.paths[0], reader)
    known = about(_key(study), origin.study_date, study.slices, then)
    return Earlier(then.visit, known, origin, scans.resolved(files))


def _key(study: Prepared) -> str:
    """Stands for the study in the lesions' identities."""
    return uid_hash(study.slices.frames[0].series_instance_uid)


def as_json(finding: LesionFinding | None) -> dict[str, Any]:
    """What `--json` says of lesions and of their comparison."""
    if finding is None or finding.reason is not None:
        reason = finding.reason if finding is not None else None
        return {"lesions": None, "lesions_reason": reason, "comparison": None}
    told = finding.comparison
    is_compared = told.status == "compared"
    return {
        "lesions": {
            "count": len(finding.lesions),
            "ml": round(finding.ml, 3),
            "regions": {region: finding.count(region) for region in REGIONS},
            "found_again": [
                {"from_mm": g.from_mm, "to_mm": g.to_mm, "found": g.found, "put": g.put}
                for g in finding.grades
            ],
            "doubts": list(finding.doubts),
        },
        "comparison": {
            "status": told.status,
            "reason": told.reason,
            "days": told.days,
            "new": told.count("new") if is_compared else None,
            "enlarging": told.count("enlarging") if is_compared else None,
            "gone": told.count("gone") if is_compared else None,
            "uncompared": finding.uncompared if is_compared else None,
            "ml_change": round(told.ml_change, 3) if told.ml_change is not None else None,
            "ml_error": round(told.ml_error, 3) if told.ml_error is not None else None,
            "differences": list(told.differences),
        },
    }
