"""MSSS, ARMSS and nARMSS: how severe a disability is at that duration, or at that age."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from msnode.records.sentences import Sentence, Text
from msnode.twin.clinical.course import Course, Measure
from msnode.twin.rules.rule_result import Rule, RuleResult
from msnode.twin.rules.severity_table import SeverityTable

EXPECTED = 5.0
"""A rank from 0 to 10 of somebody as others of his age are."""

MSSS = Rule("MSSS", Sentence("rule_msss_is"), "Roxburgh et al., Neurology 2005;64:1144")
ARMSS = Rule("ARMSS", Sentence("rule_armss_is"), "Manouchehrinia et al., Mult Scler 2017;23:1938")
NARMSS = Rule("nARMSS", Sentence("rule_narmss_is"), "Manouchehrinia et al. 2020")


@dataclass(frozen=True, slots=True)
class Tables:
    """The site's tables; None where it has none."""

    msss: SeverityTable | None = None
    armss: SeverityTable | None = None


def severity(course: Course, tables: Tables) -> Iterator[RuleResult]:
    """The three scores."""
    yield _msss(course, tables.msss)
    yield _armss(course, tables.armss)
    yield _narmss(course, tables.armss)


def _msss(course: Course, table: SeverityTable | None) -> RuleResult:
    if problems := course.contradicted("edss", "onset"):
        return MSSS.unknown(problems)
    scores, onsets = course.edss(), course.of("onset")
    missing = [
        *([] if table else [Sentence("want_table", setting="expect.msss")]),
        *([] if scores else [Sentence("want_edss")]),
        *([] if onsets else [Sentence("want_onset")]),
    ]
    if missing or table is None:
        return MSSS.unknown(missing)
    last = scores[-1]
    used = [last.event, *(event.identity for event in onsets)]
    days = (max(e.span[0] for e in onsets), min(e.span[1] for e in onsets))
    years = sorted({_years(day, last.day) for day in days})
    found = [table.score(one, last.value) for one in years]
    words = Sentence("found_edss_after", edss=last.value, years=_range(years))
    return _told(MSSS, found, words, used)


def _armss(course: Course, table: SeverityTable | None) -> RuleResult:
    missing = _wanted(course, table)
    if missing or table is None:
        return ARMSS.unknown(missing)
    last = course.edss()[-1]
    ages = _ages(course, last)
    found = [table.score(one, last.value) for one in ages]
    words = Sentence("found_edss_at", edss=last.value, ages=_range(ages))
    return _told(ARMSS, found, words, [last.event, *_births(course)])


def _narmss(course: Course, table: SeverityTable | None) -> RuleResult:
    missing = _wanted(course, table)
    scores = course.edss()
    if not missing and len(scores) < 2:
        missing = [Sentence("want_second_edss")]
    if missing or table is None:
        return NARMSS.unknown(missing)
    used = [*(one.event for one in scores), *_births(course)]
    both = [[table.score(age, one.value) for age in _ages(course, one)] for one in scores]
    known = [[one for one in pair if one is not None] for pair in both]
    if not all(known):
        return NARMSS.unknown([Sentence("want_ages")], used)
    ends = [sum(end(pair) for pair in known) / len(known) - EXPECTED for end in (min, max)]
    return _told(NARMSS, ends, Sentence("found_of_edss", count=len(scores)), used)


def _wanted(course: Course, table: SeverityTable | None) -> list[Text]:
    """What is missing for a score by age."""
    if problems := course.contradicted("edss", "birth_year"):
        return list(problems)
    return [
        *([] if table else [Sentence("want_table", setting="expect.armss")]),
        *([] if course.edss() else [Sentence("want_edss")]),
        *([] if course.of("birth_year") else [Sentence("want_birth")]),
    ]


def _ages(course: Course, score: Measure) -> list[int]:
    """The two ages that somebody born in that year may have had on the day."""
    age = score.day.year - int(course.of("birth_year")[-1].value)
    return [age - 1, age]


def _births(course: Course) -> Iterator[str]:
    return (event.identity for event in course.of("birth_year"))


def _years(onset: date, day: date) -> int:
    """Whole years."""
    return day.year - onset.year - ((day.month, day.day) < (onset.month, onset.day))


def _range(years: list[int]) -> Text:
    low, high = min(years), max(years)
    return str(low) if low == high else Sentence("range", low=low, high=high)


def _told(
    rule: Rule, found: Iterable[float | None], words: Text, used: Iterable[str]
) -> RuleResult:
    """A score, or the range of it."""
    scores = list(found)
    known = [one for one in scores if one is not None]
    if len(known) < len(scores):
        return rule.unknown([Sentence("want_line", what=words)], used)
    told = Sentence("range_score", low=min(known), high=max(known))
    low, high = f"{min(known):.2f}", f"{max(known):.2f}"
    return rule.known(float(low) if low == high else told, words, used)
