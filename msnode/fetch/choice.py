"""Which studies of a source are worth fetching, decided before anything is fetched.

Never another patient's, never a later one: whatever a source answers is compared with what the
present study says of itself.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from msnode.fetch.ask import FoundSeries, FoundStudy, first_day, uids
from msnode.fetch.patient import Patient
from msnode.records.dicom_date import day_of
from msnode.records.series_words import is_other_body_part, kind_in, refused_in
from msnode.records.uid_hash import uid_hash
from msnode.store.prior_searches import Fate, PriorStudy

OTHER_PATIENT = "another PatientID"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched.

    Attributes:
        how_many: earlier studies at most; those that are here count.
        years: older ones are not.
        kinds: of image, as the classifier wants them.
        here: whether a study need not be fetched, by its key.
        useless: keys of studies that were fetched, and nothing could be made of them.
    """

    how_many: int
    years: int
    kinds: Sequence[str]
    here: Callable[[str], bool]
    useless: Collection[str] = ()


def choose(
    found: Sequence[FoundStudy],
    patient: Patient,
    wanted: Wanted,
    series_of: Callable[[str], Sequence[FoundSeries]],
) -> list[PriorStudy]:
    """Say of each study that was found whether it is fetched, and why.

    Args:
        found: what the source answered.
        patient: the present study.
        wanted: the limits.
        series_of: asks for the series of a study; only where they matter.

    Returns:
        All of them, the newest first; each once.
    """
    issuers = {one.issuer for one in found if one.issuer and one.patient_id == patient.patient_id}
    is_unclear = not patient.issuer and len(issuers) > 1
    judged: list[PriorStudy] = []
    count = 0
    for one in sorted({one.uid: one for one in found}.values(), key=_newest, reverse=True):
        reason = "the ID is known of several issuers" if is_unclear else None
        reason = reason or _unfit(one, patient, wanted)
        if reason is None and count >= wanted.how_many:
            reason = "others are newer"
        if reason is not None:
            judged.append(_of(one, Fate.REJECTED, reason))
            continue
        judged.append(_looked_into(one, wanted, series_of))
        count += judged[-1].fate in (Fate.HERE, Fate.CHOSEN)
    return judged


def _newest(one: FoundStudy) -> tuple[str, str]:
    return one.study_date, one.uid


def _of(one: FoundStudy, fate: Fate, reason: str, series: Sequence[FoundSeries] = ()) -> PriorStudy:
    date = one.study_date if day_of(one.study_date) else ""
    return PriorStudy(one.uid, date, fate, reason, uids(series))


def _looked_into(
    one: FoundStudy, wanted: Wanted, series_of: Callable[[str], Sequence[FoundSeries]]
) -> PriorStudy:
    """A study that is comparable as far as its own attributes tell."""
    if wanted.here(uid_hash(one.uid)):
        return _of(one, Fate.HERE, "it is here")
    series = wanted_series(series_of(one.uid), wanted.kinds)
    if not series:
        return _of(one, Fate.REJECTED, f"no series is described as {' or '.join(wanted.kinds)}")
    return _of(one, Fate.CHOSEN, "comparable by date, modality and description", series)


def _unfit(one: FoundStudy, patient: Patient, wanted: Wanted) -> str | None:
    """Why a study is out of the question; None where it is not."""
    for is_wrong, reason in (
        (one.patient_id != patient.patient_id or not one.patient_id, OTHER_PATIENT),
        (differ(one.issuer, patient.issuer), "another IssuerOfPatientID"),
        (differ(one.birth_date, patient.birth_date), "another PatientBirthDate"),
        (one.uid == patient.study_instance_uid, "the present study itself"),
        (day_of(one.study_date) is None, "no StudyDate"),
        (one.study_date >= patient.study_date, "not before the present study"),
        (one.study_date < first_day(patient.study_date, wanted.years), "too long ago"),
        (bool(one.modalities) and "MR" not in one.modalities, "no MR"),
        (_is_elsewhere(one.description), "of another part of the body"),
        (uid_hash(one.uid) in wanted.useless, "nothing could be made of it"),
    ):
        if is_wrong:
            return reason
    return None


def differ(one: str, other: str) -> bool:
    """Whether two values contradict each other; an absent one contradicts nothing."""
    return bool(one) and bool(other) and one != other


def _is_elsewhere(description: str) -> bool:
    """Whether a description names a part of the body that is not the head."""
    return is_other_body_part(description.upper())


def wanted_series(series: Sequence[FoundSeries], kinds: Sequence[str]) -> list[FoundSeries]:
    """The series that may be of a wanted kind.

    By their descriptions; where no description says so, those of which nothing is said.
    """
    possible = [one for one in series if one.modality == "MR" and _may_be_head(one)]
    named = [one for one in possible if (kind_in(one.description) or ("", ""))[0] in kinds]
    return named or [one for one in possible if not one.description]


def _may_be_head(one: FoundSeries) -> bool:
    return not is_other_body_part(one.body_part.upper()) and not refused_in(one.description.lower())
