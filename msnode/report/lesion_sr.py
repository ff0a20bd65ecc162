"""Lesions in the measurement SR: totals of the study, and a group (TID 1411) a lesion."""

from collections.abc import Iterator
from typing import Any

from highdicom import sr
from pydicom.uid import SegmentationStorage

from msnode.records.images import SourceFrame
from msnode.records.lesions import REGIONS, Laterality, Lesion, Region
from msnode.records.results import Prior
from msnode.report import codes, lesion_wording
from msnode.report.case import PROGRAM, Case
from msnode.report.lesion_groups import Place, changes, group, matter, places, segments
from msnode.report.localised import per_cent
from msnode.report.sr_document import text
from msnode.report.sr_numbers import At, anchor, inferred, measured, point
from msnode.report.uids import uid

MOST_EARLIER = 10
"""Earlier studies, at most: the latest."""

Numbers = list[sr.Measurement]
Group = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)


def totals(case: Case, at: At) -> Numbers:
    """Number and volume of all lesions and by region, and what changed; none if not outlined."""
    if not case.has_outlines:
        return []
    found = case.outlined
    numbers = [
        _count(case, at, len(found.lesions)),
        _ml(case, at, codes.VOLUME, found.ml),
    ]
    for region in REGIONS:
        if count := found.count(region):
            numbers.append(_count(case, at, count, region))
            numbers.append(_ml(case, at, codes.VOLUME, found.ml_in(region), region))
    return [*numbers, *_changes(case, at)]


def _changes(case: Case, at: At) -> Iterator[sr.Measurement]:
    """Counts of a comparison, and the change in volume with its error."""
    past = case.outlined.comparison
    if past.status != "compared":
        return
    for change, name in codes.COUNTED.items():
        yield measured(name, past.count(change), codes.COUNTS, at)
    if past.ml_change is not None:
        yield _ml(case, at, codes.VOLUME_CHANGE, past.ml_change)
    if past.ml_error is not None:
        yield _ml(case, at, codes.VOLUME_ERROR, past.ml_error)


def _count(case: Case, at: At, number: int, region: Region = "unknown") -> sr.Measurement:
    sites = [_site(case, region)]
    return measured(codes.NUMBER_OF_LESIONS, number, codes.COUNTS, at, sites)


def _ml(
    case: Case, at: At, name: sr.CodedConcept, ml: float, region: Region = "unknown"
) -> sr.Measurement:
    sites = [_site(case, region)]
    return measured(name, round(ml, 3), codes.MILLILITRE, at, sites)


def _site(case: Case, region: Region, laterality: Laterality = "unknown") -> sr.FindingSite:
    """The brain, and the side and region of it where they are known."""
    return sr.FindingSite(
        codes.concept(case.report.words.region),
        laterality=codes.LATERALITY.get(laterality),
        topographical_modifier=codes.REGIONS.get(region),
    )


def remarks(case: Case) -> list[sr.ContentItem]:
    """The sentences on lesions, and with which study was compared."""
    found = case.report.lesions
    items: list[sr.ContentItem] = [
        text(codes.FINDING, sentence) for sentence in lesion_wording.sentences(case)
    ]
    if found is not None and found.comparison.prior_date is not None:
        date = found.comparison.prior_date
        items.append(
            sr.DateContentItem(codes.COMPARED_WITH, date, sr.RelationshipTypeValues.CONTAINS)
        )
    return items


def earlier(case: Case, taken: SourceFrame) -> list[Group]:
    """What this node measured in earlier studies: a group (TID 1501) each, at its time point.

    The values are of other images; label and comment say of which study. The coordinates that
    viewers want are beside the head, each on a slice of its own, as viewers would write one group
    over the other.

    Args:
        case: of the study.
        taken: where the numbers of the whole study stand.
    """
    outlined = [one for one in case.report.priors if one.lesion_count is not None]
    there = taken.sop_instance_uid, taken.frame  # frames hold arrays, which do not compare
    free = [one for one in case.slices.frames if (one.sop_instance_uid, one.frame) != there]
    newest = zip(reversed(outlined[-MOST_EARLIER:]), free, strict=False)
    shown = reversed(list(newest))
    return [_earlier(case, one, n, anchor(frame)) for n, (one, frame) in enumerate(shown)]


def _earlier(case: Case, prior: Prior, number: int, at: At) -> Group:
    """Number and volume of the lesions of an earlier study (TID 1502: its date)."""
    date = prior.study_date.isoformat()
    label = case.say("earlier_study", date=date)
    lesions = case.report.lesions
    mine = lesions.model.digest if lesions is not None else None
    same = mine == prior.lesion_digest
    numbers = [_count(case, at, prior.lesion_count or 0)]
    if prior.lesion_ml is not None:
        numbers.append(_ml(case, at, codes.VOLUME, prior.lesion_ml))
    for region, ml in prior.lesion_regions:
        if region in codes.REGIONS:
            numbers.append(_ml(case, at, codes.VOLUME, ml, region))
    made = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uid("tracking", case.uid("sr"), f"earlier {number}"),
            identifier=label,
        ),
        time_point_context=sr.TimePointContext(time_point=date),
        finding_type=codes.HYPERINTENSITY,
        finding_sites=[_site(case, "unknown")],
        algorithm_id=_algorithm(case) if same else None,
        measurements=numbers,
    )
    other = bool(mine and prior.lesion_digest) and not same
    said = [label, case.say("earlier_other")] if other else [label]
    made[0].ContentSequence.extend(text(codes.COMMENT, one) for one in said)
    return made


def groups(case: Case) -> list[Group]:
    """The lesions that matter, one by one."""
    if not case.has_outlines:
        return []
    shown = matter(case.outlined)
    where = places(case, shown)
    return [_group(case, one, where[one.number]) for one in shown]


def _group(case: Case, lesion: Lesion, where: Place) -> Group:
    """A volumetric ROI that refers to its segment; without a Segmentation, coordinates alone."""
    label = lesion_wording.label(case, lesion, where)
    at = point(where.source, where.column + 0.5, where.row + 0.5)
    details: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=_tracking_uid(case, lesion), identifier=label
        ),
        "finding_type": codes.HYPERINTENSITY,
        "finding_sites": [_site(case, lesion.region, lesion.laterality)],
        "algorithm_id": _algorithm(case),
        "qualitative_evaluations": _change(case, lesion),
    }
    made: Group
    if case.has_segments:
        made = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=_segment(case, lesion),
            measurements=_numbers(lesion, None),
            **details,
        )
        inferred(made, at)
    else:
        made = sr.MeasurementsAndQualitativeEvaluations(
            measurements=_numbers(lesion, at), **details
        )
    # viewers write comments beside the point, not the tracking identifier
    made[0].ContentSequence.append(text(codes.COMMENT, label))
    return made


def _tracking_uid(case: Case, lesion: Lesion) -> str:
    """The same from visit to visit."""
    own = f"{case.report.study_instance_uid}/{lesion.number}"
    return uid("tracking", lesion.identity or own)


def _numbers(lesion: Lesion, at: At | None) -> Numbers:
    """Volume, longest diameter and probability."""
    percent = float(per_cent(lesion.probability)[0])
    found = (
        (codes.VOLUME, round(lesion.mm3, 1), codes.CUBIC_MILLIMETRE),
        (codes.LONG_AXIS, round(lesion.diameter_mm, 1), codes.MILLIMETRE),
        (codes.LESION_PROBABILITY, percent, codes.PERCENT),
    )
    return [measured(name, value, unit, at) for name, value, unit in found]


def _change(case: Case, lesion: Lesion) -> list[sr.QualitativeEvaluation]:
    change = changes(case.outlined).get(lesion.number)
    if change is None or change not in codes.CHANGED:
        return []
    return [sr.QualitativeEvaluation(codes.LESION_CHANGE, codes.CHANGED[change])]


def _segment(case: Case, lesion: Lesion) -> sr.ReferencedSegment:
    """The segment that a lesion is part of."""
    series = case.slices.frames[0].series_instance_uid
    number = segments(case).index(group(case.outlined.comparison, lesion.number)) + 1
    return sr.ReferencedSegment(
        sop_class_uid=SegmentationStorage,
        sop_instance_uid=case.uid("seg"),
        segment_number=number,
        source_series=sr.SourceSeriesForSegmentation(series),
    )


def _algorithm(case: Case) -> sr.AlgorithmIdentification:
    """TID 4019: the network that outlined."""
    model = case.outlined.model
    return sr.AlgorithmIdentification(
        name=model.name,
        version=model.version,
        parameters=[f"digest={model.digest}", f"threshold={model.threshold:.4f}"],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=PROGRAM,
    )
