"""The sentences that montage, readable report and PDF share."""

from msnode.records import SeriesChoice
from msnode.report.case import VERSION, Case


def headline(case: Case) -> str:
    """The outcome in a word: the decision, or "not analysed"."""
    finding = case.report.finding
    word = case.say(finding.decision if finding is not None else "not_analysed")
    return word[0].upper() + word[1:]


def model(case: Case) -> str:
    """Name, version and shortened digest of the model."""
    info = case.report.model
    return f"{info.name} {info.version} · {info.digest[:12]} · msnode {VERSION}"


def used(case: Case) -> SeriesChoice | None:
    """The series that was classified."""
    return next((choice for choice in case.report.series if choice.chosen), None)


def named(case: Case, choice: SeriesChoice) -> str:
    """A series by its description."""
    return choice.description or case.say("unnamed")


def series(case: Case) -> str:
    """The series that was classified, and why."""
    choice = used(case)
    return f"{named(case, choice)} – {choice.why}" if choice is not None else "–"


def quality(case: Case) -> str:
    """How many slices, how far apart, what is missing of them."""
    slices = case.report.slices
    if slices is None:
        return "–"
    say = case.say
    parts = [
        say(
            "input",
            count=len(slices.pixels),
            thickness=say.number(slices.thickness_mm),
        )
    ]
    if slices.missing:
        parts.append(say("missing", count=slices.missing))
    if slices.reformatted:
        parts.append(say("reformatted"))
    return ", ".join(parts)


def threshold(case: Case) -> str:
    """The operating point."""
    info, say = case.report.model, case.say
    text = f"{say('threshold')} {say.percent(info.threshold)}"
    if info.undetermined is not None:
        low, high = map(say.percent, info.undetermined)
        text += "; " + say("undetermined_zone", low=low, high=high)
    return text


def performance(case: Case) -> str:
    """What the model reached at the operating point, and on what."""
    info, say = case.report.model, case.say
    if info.sensitivity is None or info.specificity is None:
        return say("unmeasured")
    return say(
        "performance",
        sensitivity=say.percent(info.sensitivity),
        specificity=say.percent(info.specificity),
        measured_on=info.measured_on,
    )


def priority(case: Case) -> str:
    """In which order to read, as far as the result suggests one."""
    return case.say("urgent" if case.finding.decision == "present" else "routine")


def notes(case: Case) -> list[str]:
    """What the reader must know beside the result: warnings, revisions, the model's notice."""
    report = case.report
    found = list(report.slices.warnings) if report.slices is not None else []
    if report.predecessor is not None:
        found.insert(0, case.say("replaces", number=report.predecessor))
    if report.model.notice:
        found.append(report.model.notice)
    return found
