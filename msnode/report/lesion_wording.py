"""The sentences on lesions, as they can be pasted into a report."""

from msnode.records.lesions import (
    REGIONS,
    Change,
    Comparison,
    Grade,
    Lesion,
    LesionChange,
    Region,
)
from msnode.report.case import Case, has_outlines, image_label
from msnode.report.lesion_groups import Place, changes, matter, places

MCDONALD: tuple[Region, ...] = ("periventricular", "juxtacortical", "infratentorial")
"""Of the brain; spinal cord and optic nerve are the other two (Montalban et al., 2024)."""

MANY = 9
"""T2 lesions of which a classifier that sees no pattern is doubted (Barkhof et al., 1997)."""
NAMED = 3
"""New lesions up to so many are named one by one; more are counted by region."""


def sentences(case: Case) -> list[str]:
    """What was outlined, what became of it, and what this scan could have shown."""
    found = case.report.lesions
    if found is None or case.report.finding is None:
        return []
    if found.reason is not None or not has_outlines(case.report):
        return [case.say("not_outlined", why=found.reason or "–")]
    return [
        count(case),
        *filter(None, [doubtful(case)]),
        *comparison(case)[:1],
        *remarks(case),
        *filter(None, [disagreement(case)]),
    ]


def remarks(case: Case) -> list[str]:
    """What limits the sentences: regions that were not imaged, unlike scans, what can be missed."""
    return list(filter(None, [*comparison(case)[1:], regions_seen(case), grades(case)]))


def count(case: Case) -> str:
    """How many lesions, how large, where."""
    found = case.outlined
    if not found.lesions:
        return case.say("lesions_none")
    regions = [(region, found.count(region)) for region in REGIONS]
    return case.say(
        "lesions_counted",
        count=len(found.lesions),
        ml=ml(case, found.ml),
        regions=_listed(case, [(region, n) for region, n in regions if n]),
    )


def doubtful(case: Case) -> str:
    """What speaks against the outlines."""
    doubts = case.outlined.doubts
    return case.say("outlines_doubtful", why=case.say("separator").join(doubts)) if doubts else ""


def regions_seen(case: Case) -> str:
    """In how many regions of the brain; never whether that fulfils anything."""
    slices = case.report.slices
    if not case.outlined.lesions or case.outlined.count("unknown"):
        return ""  # where the atlas does not fit, nobody knows where lesions are
    if slices is not None and slices.doubts:
        return ""  # of a head that is cut, which regions were imaged
    seen = sum(case.outlined.count(region) > 0 for region in MCDONALD)
    return case.say("regions_seen", count=seen)


def comparison(case: Case) -> list[str]:
    """What changed since the earlier scan, or why that is not known."""
    say, past = case.say, case.outlined.comparison
    if past.status == "no_prior":
        return [say("no_prior")]
    date = past.prior_date.isoformat() if past.prior_date else say("earlier_scan")
    if past.status == "not_compared":
        return [say("not_compared", date=date, why=past.reason or "–")]
    since = date if past.days is None else say("after_days", date=date, days=past.days)
    text = say("since", since=since, changes=changed(case), volume=volume_change(case))
    differences = say("separator").join(past.differences)
    told = [say("scans_differ", differences=differences)] if differences else []
    left_out = case.outlined.uncompared
    return [text, *([say("uncompared", count=left_out)] if left_out else []), *told]


def changed(case: Case) -> str:
    """How many lesions are new, enlarging, shrinking, gone; the first two always."""
    say, past = case.say, case.outlined.comparison
    parts = [_new(case, past), _some(case, past, "enlarging") or say("enlarging_none")]
    parts += [_some(case, past, "shrinking"), _some(case, past, "gone")]
    return ", ".join(filter(None, parts))


def _new(case: Case, past: Comparison) -> str:
    new = past.those("new")
    if not new:
        return case.say("new_none")
    sided = all(one.laterality != "unknown" for one in new)
    if len(new) == 1 or (sided and len(new) <= NAMED):
        where = case.say("separator").join(place(case, one) for one in new)
    else:
        regions = [(region, past.count("new", region)) for region in REGIONS]
        where = _listed(case, [(region, n) for region, n in regions if n])
    return case.say("new_one" if len(new) == 1 else "new_many", count=len(new), where=where)


def _some(case: Case, past: Comparison, change: Change) -> str:
    """As in "2 enlarging"; nothing where there is none."""
    number = past.count(change)
    return case.say(f"{change}_count", count=number) if number else ""


def volume_change(case: Case) -> str:
    """By how much the volume changed; none where the error explains it."""
    say, past = case.say, case.outlined.comparison
    if past.ml_change is None:
        return say("volume_unknown")
    if past.ml_error is None:
        return say("volume_change_only", change=signed(case, past.ml_change))
    most = max(abs(past.ml_change), past.ml_error)
    error = ml(case, past.ml_error, most)
    if abs(past.ml_change) <= past.ml_error:
        return say("volume_same", error=error)
    return say("volume_change", change=signed(case, past.ml_change, most), error=error)


def grades(case: Case) -> str:
    """How many lesions that were put into this scan were found again, by size."""
    if not case.outlined.grades:
        return ""
    sizes = ", ".join(_grade(case, one) for one in case.outlined.grades)
    return case.say("grades", sizes=sizes)


def _grade(case: Case, one: Grade) -> str:
    low, high = (f"{mm:g}" for mm in (one.from_mm, one.to_mm))
    return case.say("grade", low=low, high=high, found=one.found, put=one.put)


def disagreement(case: Case) -> str:
    """Where classifier and outlines contradict each other.

    Many lesions do not contradict "absent" where it was decided by where they lie.
    """
    number, decision = len(case.outlined.lesions), case.finding.decision
    if decision == "present" and not number:
        return case.say("disagree_present")
    if decision == "absent" and number >= MANY and case.finding.basis is None:
        return case.say("disagree_absent", count=number)
    return ""


def count_short(case: Case) -> str:
    """Number and volume for a headline."""
    found = case.outlined
    return f"{len(found.lesions)} · {ml(case, found.ml)} ml"


def changed_short(case: Case) -> str:
    """New and enlarging lesions for a headline."""
    past, say = case.outlined.comparison, case.say
    new = past.count("new")
    first = say("short_new_one" if new == 1 else "short_new_many", count=new)
    parts = [first if new else say("new_none"), _some(case, past, "enlarging")]
    return " · ".join(filter(None, parts))


def pattern_short(case: Case) -> str:
    """What the classifier says, in a few words."""
    say, finding = case.say, case.finding
    limit = f"{say('threshold')} {say.limit(finding.threshold)}"
    return (
        f"{say(finding.decision)}, {say.percent(finding.probability, finding.threshold)} ({limit})"
    )


Row = tuple[str, list[str]]


def table(case: Case, regions: list[Region]) -> list[Row]:
    """A head and rows: numbers and volumes by region, the total last."""
    say, found = case.say, case.outlined
    size = [*(found.ml_in(one) for one in regions), found.ml]
    counts = [str(found.count(one)) for one in regions]
    rows = [
        ("", [*(region(case, one) for one in regions), say("total")]),
        (say("column_count"), [*counts, str(len(found.lesions))]),
        (say("column_ml"), [ml(case, one) if one else "0" for one in size]),
    ]
    if found.comparison.status == "compared":
        shown: tuple[Change, ...] = ("new", "enlarging")
        for change in shown:
            each = [str(found.comparison.count(change, one)) for one in regions]
            rows.append((say(f"lesion_{change}"), [*each, str(found.comparison.count(change))]))
    return rows


def segmenter(case: Case) -> str:
    """Name, version and shortened digest of the network that outlined."""
    model = case.outlined.model
    return case.say.label("outlined_by", f"{model.name} {model.version} · {model.digest[:12]}")


def label(case: Case, lesion: Lesion, where: Place) -> str:
    """A lesion by number, what became of it, region, side and image."""
    what = changes(case.outlined).get(lesion.number)
    parts = [case.say("lesion_number", number=lesion.number)]
    parts += [case.say(f"lesion_{what}")] if what else []
    return ", ".join(
        [*parts, place(case, lesion), *filter(None, [image_label(case, where.source)])]
    )


def lines(case: Case) -> list[str]:
    """The lesions that matter, one line each; none where nothing was outlined."""
    if not case.has_outlines:
        return []
    shown = matter(case.outlined)
    where = places(case, shown)
    return [
        case.say(
            "labelled",
            label=label(case, one, where[one.number]),
            value=f"{one.mm3:.0f} mm³, {case.say.number(one.diameter_mm)} mm",
        )
        for one in shown
    ]


def region(case: Case, name: Region) -> str:
    """A region's name."""
    return case.say(f"region_{name}")


def place(case: Case, lesion: Lesion | LesionChange) -> str:
    """Where a lesion is: its region, and the patient's side where that is known."""
    where = region(case, lesion.region)
    if lesion.laterality == "unknown":
        return where
    return f"{where}, {case.say(f'side_{lesion.laterality}')}"


def ml(case: Case, value: float, most: float | None = None) -> str:
    """A volume in ml: with a decimal more where it, or the ``most`` beside it, is small."""
    return case.say.number(value, 1 if (value if most is None else most) >= 1 else 2)


def signed(case: Case, value: float, most: float | None = None) -> str:
    """A change in ml with its sign; ``most`` as in `ml`."""
    size = abs(value) if most is None else most
    return ("−" if value < 0 else "+") + ml(case, abs(value), size)


def _listed(case: Case, numbers: list[tuple[Region, int]]) -> str:
    """As in "juxtacortical 1, deep white 2"."""
    return ", ".join(f"{region(case, name)} {number}" for name, number in numbers)
