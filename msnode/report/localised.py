"""What people read, in the configured language; coded meanings stay standard."""

from dataclasses import dataclass, replace

from msnode.records.lesions import LesionFinding
from msnode.records.results import Report
from msnode.records.sentences import Value, phrases, to, words

LANGUAGES = ("en", "de", "fr", "es", "nl")


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases and number format of one language.

    Attributes:
        prefix: of phrases that stand in the place of those without it, see `Vocabulary.prefix`.
    """

    language: str
    prefix: str = ""

    def __call__(self, phrase: str, **values: Value) -> str:
        """A phrase with its placeholders filled."""
        special = f"{self.prefix}{phrase}"
        return words(special if special in phrases("en") else phrase, self.language, **values)

    def label(self, phrase: str, value: str) -> str:
        """A value behind what it is."""
        return self("labelled", label=self(phrase), value=value)

    def number(self, value: float, digits: int = 1) -> str:
        """A number with the language's decimal sign."""
        text = f"{value:.{digits}f}"
        return text if self.language == "en" else text.replace(".", ",")

    def percent(self, fraction: float, *limits: float) -> str:
        """A probability as per cent, never rounded to a certainty that is not there.

        Args:
            fraction: the probability.
            limits: where decisions turn; it is not rounded to one that it is not.
        """
        return self._per_cent(*per_cent(fraction, *limits))

    def limit(self, fraction: float) -> str:
        """A threshold as per cent, with the decimals that it has."""
        decimals = f"{100 * fraction:.4f}".rstrip("0").partition(".")[2]
        return self._per_cent(100 * fraction, len(decimals))

    def rate(self, fraction: float) -> str:
        """A counted rate as whole per cent: all of three is 100."""
        return self._per_cent(100 * fraction, 0)

    def _per_cent(self, value: float, digits: int) -> str:
        return self.number(value, digits) + ("%" if self.language == "en" else " %")


def per_cent(fraction: float, *limits: float) -> tuple[float, int]:
    """A probability as `Words.percent` shows it: per cent, and how many of its decimals."""
    shown = min(max(100 * fraction, 0.1), 99.9)
    digits = 0 if 1 <= shown <= 99 else 1
    near = [100 * limit for limit in limits if limit != fraction]
    while digits < 4 and round(shown, digits) in {round(limit, digits) for limit in near}:
        digits += 1
    return round(shown, digits), digits


def localised(report: Report, language: str) -> Report:
    """A report whose reasons and warnings are plain text in a language."""
    reason = report.reason
    slices = report.slices
    if slices is not None:
        warnings = tuple(to(warning, language) for warning in slices.warnings)
        slices = replace(slices, warnings=warnings)
    lesions, priority = report.lesions, report.priority
    finding = report.finding
    if finding is not None:
        doubts = tuple(to(doubt, language) for doubt in finding.doubts)
        basis = to(finding.basis, language) if finding.basis is not None else None
        finding = replace(finding, doubts=doubts, basis=basis)
    return replace(
        report,
        finding=finding,
        reason=to(reason, language) if reason is not None else None,
        series=tuple(replace(choice, why=to(choice.why, language)) for choice in report.series),
        slices=slices,
        lesions=_lesions(lesions, language) if lesions is not None else None,
        priority=replace(priority, why=to(priority.why, language))
        if priority is not None
        else None,
    )


def _lesions(found: LesionFinding, language: str) -> LesionFinding:
    """Why nothing was outlined or compared, what is doubtful, what differs, in a language."""
    comparison = found.comparison
    reasons = [
        None if why is None else to(why, language) for why in (found.reason, comparison.reason)
    ]
    differences = tuple(to(one, language) for one in comparison.differences)
    compared = replace(comparison, reason=reasons[1], differences=differences)
    doubts = tuple(to(one, language) for one in found.doubts)
    return replace(found, reason=reasons[0], comparison=compared, doubts=doubts)
