"""Dissemination in space and in time, as far as a FLAIR scan and the record can tell."""

from collections.abc import Iterator

from msnode.records.sentences import Sentence, Text, listed
from msnode.twin.clinical.course import Course, Imaging
from msnode.twin.rules.activity import compared_studies
from msnode.twin.rules.rule_result import NO, YES, Rule, RuleResult

CRITERIA = "McDonald criteria: Thompson et al., Lancet Neurol 2018;17:162; Montalban et al. 2025"
BRAIN = ("periventricular", "juxtacortical", "infratentorial")
"""Regions of the criteria that a FLAIR scan of the head shows."""
ELSEWHERE = {
    "spinal_cord_lesion": Sentence("found_spinal_cord"),
    "optic_nerve_lesion": Sentence("found_optic_nerve"),
}
"""The other two, from the record; the optic nerve counts since 2024."""
WANTED = 2

NOT_DIAGNOSIS = Sentence("rule_not_diagnosis")
SPACE = Rule(Sentence("rule_space"), Sentence("rule_space_is", caution=NOT_DIAGNOSIS), CRITERIA)
TIME = Rule(Sentence("rule_time"), Sentence("rule_time_is", caution=NOT_DIAGNOSIS), CRITERIA)


def in_space(course: Course) -> RuleResult:
    """In how many of five regions lesions are on record."""
    if problems := course.contradicted(*ELSEWHERE):
        return SPACE.unknown(problems)
    scan = _newest(course)
    if scan is None:
        return SPACE.unknown([Sentence("want_placed")])
    found = [(name, ml) for name, ml in scan.regions if name in BRAIN and ml > 0]
    words: list[Text] = [
        Sentence("found_region", region=Sentence(f"region_{name}"), ml=ml) for name, ml in found
    ]
    outside = dict(_elsewhere(course))
    words += [what for kind, what in ELSEWHERE.items() if outside.get(kind) == "present"]
    used = [scan.study_key, *(e.identity for e in course.of(*ELSEWHERE))]
    text = listed(words) if words else Sentence("found_nowhere")
    if len(words) >= WANTED:
        return SPACE.known(YES, text, used)
    if missing := [what for kind, what in ELSEWHERE.items() if kind not in outside]:
        return SPACE.unknown([_place(missing)], used)
    return SPACE.known(NO, Sentence("found_regions", count=len(words), regions=text), used)


def _place(places: list[Sentence]) -> Sentence:
    """What is missing, of one place or two."""
    if len(places) == 1:
        return Sentence("want_place", place=places[0])
    return Sentence("want_places", first=places[0], second=places[1])


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
            first, last = str(one.prior), str(one.day)
            words = Sentence("found_new", count=one.new, first=first, last=last)
            return TIME.known(YES, words, [one.study_key])
    missing = Sentence("want_new") if compared else Sentence("want_two_scans")
    return TIME.unknown([missing], (one.study_key for one in compared))
