"""Dissemination in space and in time, as far as a FLAIR scan and the record can tell."""

from collections.abc import Iterator

from msnode.twin.clinical.course import Course, Imaging
from msnode.twin.rules.activity import compared_studies
from msnode.twin.rules.rule_result import Rule, RuleResult

CRITERIA = "McDonald criteria: Thompson et al., Lancet Neurol 2018;17:162; Montalban et al. 2025"
BRAIN = ("periventricular", "juxtacortical", "infratentorial")
"""Regions of the criteria that a FLAIR scan of the head shows."""
ELSEWHERE = {"spinal_cord_lesion": "the spinal cord", "optic_nerve_lesion": "an optic nerve"}
"""The other two, from the record; the optic nerve counts since 2024."""
WANTED = 2

NOT_DIAGNOSIS = (
    " Criteria for people whose symptoms are typical of MS; the network outlines lesions of any "
    "cause, and a small false one may make a region"
)
SPACE = Rule(
    "dissemination in space",
    "lesions in two or more of: periventricular, cortical or juxtacortical, infratentorial (as the "
    "network placed them in the newest scan), spinal cord, optic nerve (as the record says; the "
    "optic nerve counts since the revision of 2024)." + NOT_DIAGNOSIS,
    CRITERIA,
)
TIME = Rule(
    "dissemination in time",
    "a new T2 lesion in a scan that was compared with an earlier one. What else fulfils it (a "
    "second attack, an enhancing beside other lesions, bands in the CSF) is not looked at, so this "
    "is never no." + NOT_DIAGNOSIS,
    CRITERIA,
)


def in_space(course: Course) -> RuleResult:
    """In how many of five regions lesions are on record."""
    if problems := course.contradicted(*ELSEWHERE):
        return SPACE.unknown(problems)
    scan = _newest(course)
    if scan is None:
        return SPACE.unknown(["a scan in which the node outlined and placed lesions"])
    found = [(name, ml) for name, ml in scan.regions if name in BRAIN and ml > 0]
    words = [f"{name} {ml:.2f} ml" for name, ml in found]
    outside = dict(_elsewhere(course))
    words += [what for kind, what in ELSEWHERE.items() if outside.get(kind) == "present"]
    used = [scan.study_key, *(e.identity for e in course.of(*ELSEWHERE))]
    text = ", ".join(words) or "none"
    if len(words) >= WANTED:
        return SPACE.known("yes", text, used)
    if missing := [what for kind, what in ELSEWHERE.items() if kind not in outside]:
        return SPACE.unknown([f"whether {', and whether '.join(missing)} has a lesion"], used)
    return SPACE.known("no", f"{len(words)} of 5 regions: {text}", used)


def _newest(course: Course) -> Imaging | None:
    """The newest scan in which lesions were placed, or none were found."""
    placed = [one for one in course.imaging if one.day and (one.regions or one.lesion_count == 0)]
    return placed[-1] if placed else None


def _elsewhere(course: Course) -> Iterator[tuple[str, str]]:
    """What the record says of cord and optic nerve; a lesion that was seen once counts."""
    for kind in ELSEWHERE:
        values = {event.value for event in course.of(kind)}
        if values:
            yield kind, "present" if "present" in values else "absent"


def in_time(course: Course) -> RuleResult:
    """Whether a compared scan had a new lesion."""
    compared = compared_studies(course)
    for one in compared:
        if one.new:
            words = f"{one.new} new lesion(s) from {one.prior} to {one.day}"
            return TIME.known("yes", words, [one.study_key])
    missing = "a new lesion in a compared scan" if compared else "two scans that were compared"
    return TIME.unknown([missing], (one.study_key for one in compared))
