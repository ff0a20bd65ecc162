"""The settings of feedback: what verified reports say of results, and where they come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msnode.config.constraints import Coded, Count, Label, Seconds, Within

Means = Literal["agree", "disagree", "ms", "not_ms", "unsure"]


@dataclass(frozen=True, slots=True)
class ReportCode:
    """A coded answer in a site's own reports."""

    concept: Coded
    """What is asked: value and scheme of the content item's name, as 121077 DCM (Conclusion)."""
    code: Coded
    """The answer, likewise."""
    means: Means
    """agree or disagree with the result; ms, not_ms: of the study; unsure."""

    @property
    def answer(self) -> tuple[str, str]:
        """Value and scheme."""
        value, scheme = self.code.split(" ")
        return value, scheme


@dataclass(frozen=True, slots=True)
class ReportText:
    """A text in a site's own reports: the whole item must be just this, in any case."""

    concept: Coded
    text: str
    means: Means

    def contradictions(self) -> Iterator[str]:
        """A text that every empty item has."""
        if not self.text.strip():
            yield "text: is empty; give the whole text of the item"

    @property
    def answer(self) -> str:
        """The text."""
        return self.text


@dataclass(frozen=True, slots=True)
class ReportSource:
    """A PACS that is asked for reports on delivered results."""

    destination: Label
    """Name of the DICOM destination."""
    by: Literal["c-move", "c-get"] = "c-get"
    """c-get: the reports come on the association that the node opens; c-move: at our listener."""
    every_s: Seconds = 21600.0
    """So long after it was asked for a study's reports it is asked again."""
    days: Annotated[int, Within(1, 3650)] = 30
    """Of results so old at most."""
    per_hour: Count = 240
    """For so many studies it is asked in an hour at most."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What is made of reports that readers verify and that refer to a result of ours.

    Those that are sent here are always read.
    """

    source: ReportSource | None = None
    """Null: nobody is asked; only what is sent here counts."""
    codes: tuple[ReportCode, ...] = ()
    """Of the site's reports; our own codes are always known."""
    texts: tuple[ReportText, ...] = ()

    def contradictions(self) -> Iterator[str]:
        """One answer with two meanings."""
        sections: dict[str, Sequence[ReportCode | ReportText]] = {
            "codes": self.codes, "texts": self.texts,
        }  # fmt: skip
        for name, given in sections.items():
            seen: dict[object, str] = {}
            for i, one in enumerate(given):
                means = seen.setdefault((one.concept, one.answer), one.means)
                if means != one.means:
                    yield f"{name}.{i}.means: the same answer means {means} before; delete one"
