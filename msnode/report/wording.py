"""The sentences that montage, readable report and PDF share."""

from msnode.records.images import SeriesChoice
from msnode.records.results import ModelInfo, Predecessor, SliceFinding
from msnode.report import lesion_wording
from msnode.report.case import VERSION, Case, image_label, matter


def headline(case: Case) -> str:
    """The outcome in a word: the decision, "not analysed", or "technically inadequate"."""
    word = case.say(case.outcome)
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
    if not case.report.words.has_places:
        return say("input", count=len(slices.pixels), images=len(slices.frames))
    distance = say.number(slices.distance_mm)
    parts = [say("input", count=len(slices.pixels), thickness=distance)]
    if slices.missing:
        parts.append(say("missing", count=slices.missing))
    if slices.reformatted:
        parts.append(say("reformatted"))
    return ", ".join(parts)


def all_quality(case: Case) -> str:
    """What `quality` says, and all else that was measured of the input."""
    slices, say = case.slices, case.say
    parts = [quality(case)]
    if not case.report.words.has_places:
        return parts[0]
    if slices.acquisition.slice_mm is not None:
        parts.append(say("thickness", thickness=say.number(slices.acquisition.slice_mm)))
    if not slices.missing:
        parts.append(say("none_missing"))
    if slices.gate is not None:
        parts.append(say("gate", score=say.number(slices.gate, 2)))
    return ", ".join(parts)


def threshold(case: Case) -> str:
    """The operating point."""
    info, say = case.report.model, case.say
    text = f"{say('threshold')} {say.limit(info.threshold)}"
    if info.undetermined is not None:
        low, high = map(say.limit, info.undetermined)
        text += "; " + say("undetermined_zone", low=low, high=high)
    return text


def probability(case: Case) -> str:
    """The study's probability, told apart from the operating point."""
    return case.say.percent(case.finding.probability, *limits(case))


def limits(case: Case) -> tuple[float, ...]:
    """Where decisions turn."""
    info = case.report.model
    return (info.threshold, *(info.undetermined or ()))


def performance(case: Case) -> str:
    """What the model reached at the operating point, and on what."""
    info, say = case.report.model, case.say
    if info.sensitivity is None or info.specificity is None:
        return say("unmeasured")
    return say(
        "performance",
        sensitivity=say.rate(info.sensitivity),
        specificity=say.rate(info.specificity),
        measured_on=info.told("measured_on", case.describe.language),
    )


def priority(case: Case) -> str:
    """In which order to read, as far as the result suggests one, and why."""
    suggested, word = case.report.priority, "urgent" if case.report.is_urgent else "routine"
    return case.say(word) if suggested is None else case.say.label(word, suggested.why)


def revision(case: Case, before: Predecessor) -> str:
    """Which result this one replaces, what it said, and why there is a new one."""
    say = case.say
    result = say(before.decision or "not_analysed")
    result = result[0].lower() + result[1:]
    if before.probability is not None:
        result += f", {say.percent(before.probability, case.report.model.threshold)}"
    cause = "redone" if case.report.is_redone else "new_images"
    if case.report.is_compared_anew:
        cause = "new_priors"
    if before.digest != case.report.model.digest:
        cause = "new_model"
    return say("replaces", number=before.generation, result=result, cause=say(cause))


def warnings(case: Case) -> list[str]:
    """What sets this result apart: it replaces another, its input is unusual."""
    return [*changes(case), *issues(case)]


def changes(case: Case) -> list[str]:
    """Which result this one replaces, if any."""
    before = case.report.predecessor
    return [revision(case, before)] if before is not None else []


def issues(case: Case) -> list[str]:
    """What is unusual about the input, but for what stands as the reason of no decision."""
    slices = case.report.slices
    texts = [str(warning) for warning in slices.warnings] if slices is not None else []
    return [text for text in texts if text not in doubts(case)]


def doubts(case: Case) -> list[str]:
    """Why there is no decision; none where there is one."""
    finding = case.report.finding
    if finding is None or finding.decision != "undetermined":
        return []
    if finding.doubts:
        return [str(doubt) for doubt in finding.doubts]
    low, high = map(case.say.limit, case.report.model.undetermined or (0.0, 1.0))
    return [case.say("undetermined_zone", low=low, high=high)]


def notes(case: Case) -> list[str]:
    """What the reader must know beside the result: its warnings and the model's notice."""
    return [*warnings(case), *filter(None, [notice(case)])]


def notice(case: Case) -> str:
    """What the models' bundles have to say to every reader."""
    told = [case.report.model.told("notice", case.describe.language)]
    told += [case.outlined.model.notice] if case.has_outlines else []
    return " ".join(filter(None, told))


def dates(case: Case) -> list[str]:
    """When the study was made, if its header says so, and when it was processed."""
    study, say = str(case.header.study.get("StudyDate", "")), case.say
    made = f"{study[:4]}-{study[4:6]}-{study[6:]}" if len(study) == 8 else ""
    processed = say("processed", date=case.created.strftime("%Y-%m-%d %H:%M"))
    return [say("study_date", date=made), processed] if made else [processed]


def identity(case: Case) -> str:
    """Name, ID and accession number, as far as the header has them."""
    names = ("PatientName", "PatientID", "AccessionNumber")
    return " · ".join(filter(None, (str(case.header.study.get(name, "")) for name in names)))


def pattern(case: Case) -> str:
    """What the classifier says."""
    say = case.say
    decided = say.label("pattern", say(case.finding.decision))
    basis = f"; {case.finding.basis}" if case.finding.basis is not None else ""
    return f"{decided}. {say('calibrated')} {probability(case)} ({threshold(case)}){basis}."


def outcome(case: Case) -> list[str]:
    """The result in sentences."""
    finding, say = case.report.finding, case.say
    if finding is None:
        return [
            f"{headline(case)}. {say('no_result')}",
            say.label("reason", case.report.reason or "–"),
        ]
    return [
        *lesion_wording.sentences(case),
        pattern(case),
        *(say("undecided", why=doubt) for doubt in doubts(case)),
        performance(case),
        *([say.label("priority", priority(case))] if case.report.words.has_places else []),
    ]


def where(case: Case, found: SliceFinding) -> str:
    """A slice by the image that its saliency peaks on, else by its place among the slices."""
    if not case.report.words.has_places:
        return name(case, found)
    return image_label(case, found.peak.source) or place(case, found)


def place(case: Case, found: SliceFinding) -> str:
    """A slice's place among the slices, from the feet."""
    return case.say("slice_of", number=found.index + 1, count=len(case.finding.slices))


def name(case: Case, found: SliceFinding) -> str:
    """A slice by its image; one that was reformatted is none of them."""
    label = "" if case.slices.reformatted else image_label(case, found.source)
    if not case.report.words.has_places:  # an image has several tiles
        return " · ".join(filter(None, (label, place(case, found))))
    return label or place(case, found)


def slice_lines(case: Case) -> list[str]:
    """The slices that matter, one line each."""
    if case.report.finding is None:
        return []
    return [
        case.say(
            "slice_line",
            where=where(case, found),
            probability=case.say.percent(found.probability),
        )
        for found in matter(case)
    ]


def parameters(info: ModelInfo) -> list[str]:
    """The operating point for machines: ``name=value``, in every language the same."""
    found = [f"digest={info.digest}", f"threshold={info.threshold:.4f}"]
    if info.undetermined is not None:
        found.append("undetermined={:.4f}..{:.4f}".format(*info.undetermined))
    if info.sensitivity is not None and info.specificity is not None:
        found.append(f"sensitivity={info.sensitivity:.4f}")
        found.append(f"specificity={info.specificity:.4f}")
        found.append(f"measured_on={info.measured_on}")
    return found


def method(case: Case) -> list[str]:
    """How the result came about: series, input quality, model, time."""
    say, report = case.say, case.report
    lines = [say.label("model", model(case))]
    if case.has_outlines:
        lines.append(lesion_wording.segmenter(case))
    if used(case) is not None:
        lines.append(say.label("series_used", series(case)))
    if report.slices is not None:
        lines.append(say.label("quality", all_quality(case)))
    lines += [
        f"{named(case, choice)} – {say('considered', why=choice.why)}"
        for choice in report.series
        if not choice.chosen
    ]
    if report.seconds:
        steps = ", ".join(f"{say(step)} {say.number(s)} s" for step, s in report.seconds.items())
        lines.append(say.label("time", steps))
    return lines
