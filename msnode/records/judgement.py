"""What somebody says of a study that has a result, and what is taken for the truth of it.

From pages, from verified SRs and from CSV; `truth_of` is the one definition for all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from msnode.records.feedback import Verdict

Judged = Literal["agree", "disagree", "ms", "not_ms", "unsure"]
JUDGED: tuple[Judged, ...] = get_args(Judged)
"""agree, disagree: with the decision of the result that was read; ms, not_ms: the study shows
multiple sclerosis, or it does not, whatever the result says; unsure: the reader cannot tell."""
Diagnosis = Literal["ms", "not_ms", "unknown"]
DIAGNOSES: tuple[Diagnosis, ...] = get_args(Diagnosis)
"""The final diagnosis of the patient, which is worth more than a reader's verdict."""
State = Literal["counted", "unverified", "unclear", "unrelated"]
"""Of a document: unverified: nobody is accountable for it; unclear: what it says is not understood;
unrelated: it refers to no result of ours."""
Truth = Literal["present", "absent", "disputed", "open"]
"""Of multiple sclerosis in a study: disputed: readers contradict each other; open: nobody told."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of what is known of a study's truth.

    Attributes:
        identity: the SOPInstanceUID of a document; of others a hash of what they say.
        source: page, sr or csv.
        study_key: of the study.
        generation: of the result that was read; 0 where none is meant.
        state: see `State`; only what is counted says something.
        judged: None where only a diagnosis is known, or nothing.
        diagnosis: likewise.
        reader: a pseudonym; "" where it is not told.
        given_at: unix s.
        seen_at: unix s, when it came here.
        why: of what is unclear, a code; else "".
        replaces: identities of earlier documents.
    """

    identity: str
    source: str
    study_key: str
    generation: int
    state: State
    judged: Judged | None
    diagnosis: Diagnosis | None
    reader: str
    given_at: float
    seen_at: float
    why: str = ""
    replaces: tuple[str, ...] = ()


def truth_of(judged: Judged | None, decision: str | None) -> Truth:
    """What a verdict says of the study.

    Args:
        judged: the verdict.
        decision: of the result that was read; only *present* and *absent* can be agreed with.
    """
    if judged in ("ms", "not_ms"):
        return "present" if judged == "ms" else "absent"
    if judged not in ("agree", "disagree") or decision not in ("present", "absent"):
        return "open"
    return "present" if (judged == "agree") == (decision == "present") else "absent"


def standing_of(given: Iterable[Judgement]) -> list[Judgement]:
    """What still counts: of each reader the newest, and no document that another one replaces.

    A newer document replaces also by its own reader's name; who is not named replaces nobody.
    """
    counted = [one for one in given if one.state == "counted"]
    gone = {earlier for one in counted for earlier in one.replaces}
    newest: dict[str, Judgement] = {}
    for one in sorted(counted, key=lambda one: (one.given_at, one.seen_at, one.identity)):
        if one.identity not in gone:
            newest[one.reader or one.identity] = one
    return list(newest.values())


def truth(given: Iterable[Judgement], decisions: dict[int, str | None]) -> Truth:
    """What is taken for true of a study.

    A final diagnosis counts before any reader's verdict. Where those whose word counts contradict
    each other, it is disputed, and nothing is measured on it.

    Args:
        given: all that was said of it.
        decisions: of its results, by generation.
    """
    stands = standing_of(given)
    final = {one.diagnosis for one in stands if one.diagnosis in ("ms", "not_ms")}
    said = {truth_of("ms" if one == "ms" else "not_ms", None) for one in final} or {
        truth_of(one.judged, decisions.get(one.generation)) for one in stands
    } - {"open"}
    if not said:
        return "open"
    return said.pop() if len(said) == 1 else "disputed"


def of_page(verdict: Verdict) -> Judged | None:
    """What a reading that was finished on the page says; None where it says nothing of this.

    Lesions that are rejected or added say nothing of the disease, and of a result that read the
    wrong series nothing is measured.
    """
    kinds = {one.kind for one in verdict.stood}
    if "wrong_series" in kinds or {"agree", "not_ms"} <= kinds:
        return None
    return "not_ms" if "not_ms" in kinds else "agree" if "agree" in kinds else None
