"""The kinds of clinical events, and what a value of each may be."""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from msnode.records.sentences import Sentence

FIRST_YEAR = 1900
"""Of birth: nobody who is examined today was born before."""
T25FW_LIMIT_S = 180.0
"""Timed 25-Foot Walk: the test ends (MSFC manual, Fischer et al., National MS Society 2001)."""
PEG_LIMIT_S = 300.0
"""Nine-Hole Peg Test: likewise."""
DIAGNOSES = ("RIS", "CIS", "RRMS", "SPMS", "PPMS", "MS", "other")
"""Courses of Lublin et al., Neurology 2014; MS without a course; a disease that is none."""
SYSTEMS = {
    "bowel_bladder": 6, "brainstem": 5, "cerebellar": 5, "cerebral": 5, "pyramidal": 6,
    "sensory": 6, "visual": 6,
}  # fmt: skip
"""Functional systems and their highest grades (Kurtzke, Neurology 1983)."""

Spell = Callable[[str], str]
"""Brings a value into its one spelling.

Raises:
    ValueError: it is none; its argument, a `Sentence`, says what one is, and quotes nothing.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an event of a kind looks like.

    Attributes:
        what: in words, for people.
        spell: see `Spell`.
        unit: UCUM, that has to be given; "" for none.
        needs_day: whether it must have a date.
        detail: of the detail, likewise.
        partial: whether its date may be a year or a month.
    """

    what: str
    spell: Spell
    unit: str = ""
    needs_day: bool = True
    detail: Spell | None = None
    partial: bool = False


def nothing(text: str) -> str:
    """An empty value."""
    if text:
        raise ValueError(Sentence("fix_no_value"))
    return ""


def name(text: str) -> str:
    """A name, such as a drug's."""
    if not text or len(text) > 200:
        raise ValueError(Sentence("fix_name"))
    return text


def one_of(*choices: str) -> Spell:
    """One of several words, in any case."""
    by_fold = {choice.casefold(): choice for choice in choices}

    def spell(text: str) -> str:
        if text.casefold() not in by_fold:
            raise ValueError(Sentence("fix_one_of", choices=", ".join(choices)))
        return by_fold[text.casefold()]

    return spell


def _decimal(text: str, fix: Sentence) -> Decimal:
    """A number in plain digits: no comma, no exponent, no sign."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        raise ValueError(fix)
    return Decimal(text)


def _plain(number: Decimal) -> str:
    """A number's one spelling, without loss: 5.10 is 5.1, and 300 no 3E+2."""
    return f"{number.normalize():f}"


def edss(text: str) -> str:
    """0, or 1.0 to 10.0 in steps of 0.5 (Kurtzke, Neurology 1983); there is no 0.5."""
    score = _decimal(text, Sentence("fix_edss"))
    if score > 10 or score * 2 % 1 or score == Decimal("0.5"):
        raise ValueError(Sentence("fix_no_such_edss"))
    return f"{score:.1f}"


def seconds(limit_s: float) -> Spell:
    """Seconds up to the end of the test."""

    def spell(text: str) -> str:
        took = _decimal(text, Sentence("fix_the_seconds"))
        if not 0 < took <= limit_s:
            raise ValueError(Sentence("fix_seconds", limit=limit_s))
        return _plain(took)

    return spell


def ratio(text: str) -> str:
    """A number above 0 without a unit."""
    number = _decimal(text, Sentence("fix_number"))
    if number == 0:
        raise ValueError(Sentence("fix_above_zero"))
    return _plain(number)


def count(text: str) -> str:
    """A whole number from 0."""
    if not re.fullmatch("[0-9]{1,4}", text):
        raise ValueError(Sentence("fix_whole"))
    return str(int(text))


def year(text: str) -> str:
    """A year of birth."""
    if not re.fullmatch("[0-9]{4}", text) or not FIRST_YEAR <= int(text) <= date.today().year:
        raise ValueError(Sentence("fix_year", first=FIRST_YEAR))
    return text


def day(text: str) -> date:
    """A date, YYYY-MM-DD or YYYYMMDD.

    Raises:
        ValueError: it is none; see `Spell`.
    """
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}", text):
        raise ValueError(Sentence("fix_date"))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(Sentence("fix_no_such_day")) from None


def partial_day(text: str) -> tuple[date, date | None]:
    """A date as `day`, or one of which only the year or the month is known, YYYY or YYYY-MM.

    Returns:
        The first day on which it may have been, and the last unless the day is known.

    Raises:
        ValueError: it is none; see `Spell`.
    """
    if not re.fullmatch("[0-9]{4}(-(0[1-9]|1[0-2]))?", text):
        return day(text), None
    first, last = days_of(text.replace("-", ""))
    if first is None:
        raise ValueError(Sentence("fix_no_such_year"))
    return first, last


def days_of(digits: str) -> tuple[date | None, date | None]:
    """First and last day of YYYY, YYYYMM or YYYYMMDD; for the latter no last, for "" none."""
    if len(digits) not in (4, 6) or digits.startswith("0000"):
        return (date.fromisoformat(digits), None) if len(digits) == 8 else (None, None)
    year_, months = int(digits[:4]), (int(digits[4:]),) * 2 if digits[4:] else (1, 12)
    return date(year_, months[0], 1), date(year_, months[1], monthrange(year_, months[1])[1])


def earlier_day(text: str) -> str:
    """A date as a value."""
    return day(text).isoformat()


def systems(text: str) -> str:
    """Grades of functional systems: pyramidal=2;visual=1."""
    pairs = [pair.partition("=")[::2] for pair in text.split(";") if pair.strip()]
    grades = {key.strip(): grade.strip() for key, grade in pairs}
    for key, grade in grades.items():
        if key not in SYSTEMS:
            raise ValueError(Sentence("fix_systems", systems=", ".join(SYSTEMS)))
        if not re.fullmatch("[0-9]", grade) or int(grade) > SYSTEMS[key]:
            raise ValueError(Sentence("fix_grades", system=key, most=SYSTEMS[key]))
    if len(grades) != len(pairs):
        raise ValueError(Sentence("fix_system_twice"))
    return ";".join(f"{key}={grade}" for key, grade in sorted(grades.items()))


def hand(text: str) -> str:
    """Which hand: hand=dominant or hand=nondominant."""
    if text not in ("", "hand=dominant", "hand=nondominant"):
        raise ValueError(Sentence("fix_hand"))
    return text


_THERE = one_of("present", "absent")
KINDS = {
    "edss": Kind("EDSS", edss, detail=systems),
    "relapse": Kind("begin of a relapse", nothing, partial=True),
    "relapse_review": Kind("all relapses since that day are on record", earlier_day),
    "treatment_begun": Kind("treatment begun", name, partial=True),
    "treatment_stopped": Kind("treatment stopped", name, partial=True),
    "diagnosis": Kind("diagnosis", one_of(*DIAGNOSES), partial=True),
    "onset": Kind("first symptom", nothing, partial=True),
    "birth_year": Kind("year of birth", year, needs_day=False),
    "sex": Kind("sex", one_of("F", "M", "O"), needs_day=False),
    "ocb": Kind("oligoclonal bands in the CSF only", _THERE),
    "kflc_index": Kind("kappa free light chain index", ratio),
    "spinal_cord_lesion": Kind("lesion of the spinal cord", _THERE),
    "optic_nerve_lesion": Kind("lesion of the optic nerve", _THERE),
    "t25fw": Kind("Timed 25-Foot Walk", seconds(T25FW_LIMIT_S), "s"),
    "nine_hole_peg": Kind("Nine-Hole Peg Test", seconds(PEG_LIMIT_S), "s", detail=hand),
    "enhancing_lesions": Kind("number of enhancing lesions", count),
    "withdrawn": Kind("the event that it replaces was entered in error", nothing, needs_day=False),
}
"""By the name that stands in the CSV."""
