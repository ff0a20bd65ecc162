"""Takes a prepared study through outlining, grading and comparing: never an exception.

Whatever goes wrong here costs the study its lesions, not its result.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from msnode import lesions, metrics
from msnode.errors import NotAnalysable, Refused, TryLater
from msnode.flow.analysis import FAULTS, failed, timed, unexpected
from msnode.lesions import Bundle, Compared, Marks, Visit, kept
from msnode.lesions.kept import Kept
from msnode.records.dicom_date import day_of
from msnode.records.images import Slices, SourceVolume
from msnode.records.lesions import Comparison, Grade, LesionFinding, LesionMaps, LesionModel
from msnode.records.population import Acquisition
from msnode.records.sentences import Sentence, Text

log = logging.getLogger(__name__)

ENOUGH_PUT = 15
"""Lesions that a test of a scan needs, so that none found again says something."""
SAME_DISTANCE = 0.25
"""Slice distances that differ by less than this part of the larger one are alike."""


@dataclass(frozen=True, slots=True)
class Outlined:
    """What was outlined in a study.

    Attributes:
        finding: lesions, grades, comparison; or the reason why there are none.
        maps: voxel by voxel; None where nothing could be outlined.
        visit: the scan, to be kept for later comparisons; None likewise.
        seconds: by stage.
        compared: with an earlier scan, to be kept beside it; None where it was not.
    """

    finding: LesionFinding
    maps: LesionMaps | None = None
    visit: Visit | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    compared: Compared | None = None


def model_of(bundle: Bundle) -> LesionModel:
    """The network, as results name it."""
    m = bundle.manifest
    return LesionModel(m.name, m.version, m.digest, m.threshold, m.measured_on, m.notice)


def outlined(
    study_key: str, slices: Slices, volume: SourceVolume, bundle: Bundle, *, graded: bool = True
) -> Outlined:
    """Outline a study's lesions, and let the scan grade itself.

    Args:
        study_key: of the study; names lesions that nobody has seen before.
        slices: of the chosen series; says how it was acquired.
        volume: the chosen series.
        bundle: the network.
        graded: whether the scan is tested, which takes as long again.

    Raises:
        TryLater: the device cannot do this now.
        OSError: likewise the disk.
    """
    model, found, reason = model_of(bundle), None, None
    with ThreadPoolExecutor(1, "grading") as beside:  # while lesions are placed
        testing = None
        with timed("outline") as seconds:
            try:
                marks = lesions.draw(volume.voxels, volume.affine, bundle)
                testing = beside.submit(_graded, marks, bundle) if graded else None
                found = lesions.measure(marks, volume.affine)
            except (TryLater, OSError):
                raise
            except Refused as refusal:
                reason = refusal.reason
            except Exception as error:  # noqa: BLE001 - it must not cost the study its result
                reason = failed("outline", error)
        grades, grading = testing.result() if testing is not None else ((), {})
    if found is None:
        return Outlined(LesionFinding(model, reason=reason), seconds=seconds)
    named = tuple(replace(one, identity=f"{study_key}/{one.number}") for one in found.lesions)
    visit = Visit(volume.voxels, volume.affine, replace(found, lesions=named))
    acquired = bundle.doubts(slices.acquisition, slices.thickness_mm)
    doubts = (*found.doubts, *acquired, *_tested(grades))
    finding = LesionFinding(model, named, grades=grades, doubts=doubts, pattern=found.pattern)
    maps = LesionMaps(volume.voxels, found.labels, found.numbers)
    return Outlined(finding, maps, visit, seconds | grading)


def _tested(grades: Sequence[Grade]) -> tuple[Sentence, ...]:
    """Whether the scan's test of itself failed altogether."""
    put = sum(one.put for one in grades)
    blind = put >= ENOUGH_PUT and not any(one.found for one in grades)
    return (Sentence("blind", put=put),) if blind else ()


def _graded(marks: Marks, bundle: Bundle) -> tuple[tuple[Grade, ...], dict[str, float]]:
    """The scan's grades; none where something goes wrong, which is logged."""
    with timed("grading") as seconds:
        try:
            grades = lesions.grade(marks, bundle)
        except (TryLater, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - it must not cost the study its lesions
            unexpected(error, "grading")
            grades = ()
    return grades, seconds


def compared(
    now: Outlined, earlier: Callable[[], Visit], known: Kept, here: Kept, bundle: Bundle
) -> Outlined:
    """Add the comparison with an earlier visit.

    Args:
        now: what was outlined.
        earlier: reads the earlier visit.
        known: what is known of it.
        here: what is known of the present one.
        bundle: the network; an earlier visit that another one outlined is outlined again.
    """
    assert now.visit is not None  # noqa: S101 - the callers' contract
    assert now.maps is not None  # noqa: S101
    with timed("compare") as seconds:
        try:
            _check_sight(now.finding)
            before = earlier()
            if known.digest != here.digest:
                before = outlined_again(before, known.study_key, bundle)
            made = lesions.compare(before, now.visit)
        except TryLater:
            raise
        except Refused as refusal:
            told = Comparison("not_compared", refusal.reason)
            made = Compared(told, now.finding.lesions)
        except Exception as error:  # noqa: BLE001 - it must not cost the study its lesions
            reason = failed("compare", error)
            made = Compared(Comparison("not_compared", reason), now.finding.lesions)
    told = dated(made.comparison, known, here)
    found = replace(now.visit.found, lesions=made.lesions)
    return Outlined(
        replace(now.finding, lesions=made.lesions, comparison=told),
        replace(now.maps, changes=made.changes, prior=made.prior),
        replace(now.visit, found=found),
        now.seconds | seconds,
        made,
    )


def _check_sight(finding: LesionFinding) -> None:
    """Refuse to compare a scan that shows nothing: what it lost would be called a change.

    Raises:
        NotAnalysable: so it is.
    """
    if (doubt := finding.doubt("blind")) is not None:
        raise NotAnalysable(doubt)


def outlined_again(before: Visit, study_key: str, bundle: Bundle) -> Visit:
    """An earlier visit as this network outlines it; its lesions keep the identities they had.

    A lesion has that of the old one with which it shares most, each old one's only once; the
    others have one that no old one has.
    """
    old = {one.number: one.identity for one in before.found.lesions}
    found = lesions.find(before.voxels, before.affine, bundle)
    heirs = dict(lesions.heirs(before.found.numbers, found.numbers))

    def identity(number: int) -> str:
        return old.get(heirs.get(number, 0), f"{study_key}/{len(old) + number}")

    named = tuple(replace(one, identity=identity(one.number)) for one in found.lesions)
    return replace(before, found=replace(found, lesions=named))


def count(finding: LesionFinding) -> None:
    """Count what was outlined, how the comparison went, and faults of the node in either."""
    told = finding.comparison
    for reason in (finding.reason, told.reason):
        if isinstance(reason, Sentence) and reason.code in FAULTS:
            metrics.FAULTS.labels(reason.code).inc()
    if finding.reason is not None:
        return
    metrics.LESIONS.observe(len(finding.lesions))
    metrics.LESION_ML.observe(finding.ml)
    for doubt in finding.doubts:
        metrics.LESION_DOUBTS.labels(doubt.code if isinstance(doubt, Sentence) else "").inc()
    code = told.reason.code if isinstance(told.reason, Sentence) else ""
    metrics.COMPARISONS.labels(told.status, code).inc()
    if told.likeness is not None:
        metrics.LIKENESS.observe(told.likeness)


def most_comparable(known: Sequence[Kept], here: Kept) -> Kept | None:
    """The earlier visit to compare with: the most alike, and of those the most recent.

    Args:
        known: earlier visits of the patient.
        here: the present one.
    """

    def rank(one: Kept) -> tuple[int, str, str]:
        return -len(differences(one, here)), one.study_date, one.study_key

    return max(known, key=rank, default=None)


def differences(before: Kept, here: Kept) -> tuple[Text, ...]:
    """What the reader should know of how two scans were acquired."""
    then, now = before.acquisition, here.acquisition
    told: list[Text] = []
    if then.dimensions and now.dimensions and then.dimensions != now.dimensions:
        told.append(Sentence("other_dimensions", before=then.dimensions, now=now.dimensions))
    widest = max(before.distance_mm, here.distance_mm)
    if abs(before.distance_mm - here.distance_mm) > SAME_DISTANCE * widest:
        mm = round(before.distance_mm, 1), round(here.distance_mm, 1)
        told.append(Sentence("other_distance", before=mm[0], now=mm[1]))
    fields = [round(one.field_strength_t or 0.0, 1) for one in (then, now)]
    if all(fields) and fields[0] != fields[1]:
        told.append(Sentence("other_field", before=fields[0], now=fields[1]))
    if then.agent != now.agent:
        told.append(Sentence("agent_now" if now.agent else "agent_then"))
    if before.digest != here.digest:
        told.append(Sentence("outlined_again"))
    return tuple(told)


def dated(told: Comparison, known: Kept, here: Kept) -> Comparison:
    """A comparison with dates and with what differs."""
    then, now = day_of(known.study_date), day_of(here.study_date)
    days = (now - then).days if then is not None and now is not None else None
    later = (Sentence("prior_later", days=-days),) if days is not None and days < 0 else ()
    differing = (*later, *told.differences, *differences(known, here))
    return replace(told, prior_date=then, days=days, differences=differing)


def about(study_key: str, study_date: str, slices: Slices, now: Outlined) -> Kept:
    """What is to be known of a visit once it is kept."""
    assert now.visit is not None  # noqa: S101 - the callers' contract
    seen = slices.acquisition, slices.thickness_mm, now.finding.model.digest
    return seen_as(study_key, study_date, *seen, now.visit)


def seen_as(
    study_key: str,
    study_date: str,
    acquisition: Acquisition,
    distance_mm: float,
    digest: str,
    visit: Visit,
) -> Kept:
    """What is known of a visit; see `Kept`."""
    return Kept(
        study_key, study_date, acquisition, distance_mm, digest, visit.affine, 1.0,
        visit.found.lesions, visit.found.fit,
    )  # fmt: skip


def candidates(data: Path, studies: Sequence[str]) -> list[Kept]:
    """The kept visits of some studies."""
    found = []
    for study in studies:
        try:
            found.append(kept.known(data, study))
        except Exception as error:  # noqa: BLE001 - a damaged one must not cost the others
            unexpected(error, "reading what is kept of an earlier visit")
    return [one for one in found if one is not None]
