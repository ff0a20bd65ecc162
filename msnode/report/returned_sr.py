"""What an SR from outside says of a result of ours: PS3.3 C.17, any SR storage class.

Nothing is guessed. What counts is our own codes for what readers say (`reader_sr`), else what a
site's configuration makes of its codes and texts, else our own coded decision, as it stands in a
result that somebody has corrected or confirmed and verified.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.valuerep import DA, DT, TM

from msnode.records.judgement import Judged
from msnode.records.vocabulary import BRAIN
from msnode.report import codes

Code = tuple[str, str]
"""Value and scheme."""
OTHERS = "PertinentOtherEvidenceSequence"
"""Of other studies than the one that is reported (PS3.3 C.17.2): no verdict on these."""
FIRM = ("CurrentRequestedProcedureEvidenceSequence", "PredecessorDocumentsSequence")
DEEPEST = 64
"""Levels of content items; no template has so many."""
OWN_WORDS: dict[str, Judged | None] = {
    "AGREES": "agree", "NOT_MS": "not_ms", "WRONG_SERIES": "unsure", "READ": None,
}  # fmt: skip
"""By CodeValue of `codes.JUDGEMENTS`; who has finished reading need not have judged."""
DECIDED: dict[str, Judged] = {"present": "ms", "absent": "not_ms", "undetermined": "unsure"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer to a question means, by the site.

    Attributes:
        concept: ConceptNameCodeSequence of the content item.
        answer: its ConceptCodeSequence, or its whole text, in any case.
    """

    concept: Code
    answer: Code | str
    means: Judged


@dataclass(frozen=True, slots=True)
class ReturnedDocument:
    """What an SR says.

    Attributes:
        patient_id: PatientID; with ``issuer``.
        verified: whether somebody is accountable for it (PS3.3 C.17.2, Verification Flag).
        reader: who verified it, else who observed; never leaves the node as it is.
        given_at: unix s; 0 where it does not say.
        firm: SOPInstanceUIDs that its study's evidence and its predecessors name.
        refers: all that it names, but for evidence of other studies.
        replaces: SOPInstanceUIDs of its predecessors.
        judged: None where it is not understood.
        why: not, as a code: no_verdict, not_understood, contradictory, modified.
    """

    study_instance_uid: str
    patient_id: str
    issuer: str
    verified: bool
    reader: str
    given_at: float
    firm: tuple[str, ...]
    refers: tuple[str, ...]
    replaces: tuple[str, ...]
    judged: Judged | None
    why: str


def read_returned(path: Path, meanings: Sequence[Meaning]) -> ReturnedDocument:
    """Read a document; to be called in a process of its own, as it comes from outside.

    Args:
        path: of the file.
        meanings: of the site's codes and texts.

    Raises:
        OSError: it cannot be read; and whatever a broken file makes pydicom raise.
    """
    document = dcmread(path)
    judged, why = said_by(document, meanings)
    firm = {uid for name in FIRM for uid in _uids(document.get(name) or ())}
    others = set(_uids(document.get(OTHERS) or ()))
    return ReturnedDocument(
        study_instance_uid=str(document.StudyInstanceUID),
        patient_id=str(document.get("PatientID") or ""),
        issuer=str(document.get("IssuerOfPatientID") or ""),
        verified=document.get("VerificationFlag") == "VERIFIED",
        reader=_reader(document),
        given_at=_given_at(document),
        firm=tuple(sorted(firm)),
        refers=tuple(sorted((set(_uids([document])) - others) | firm)),
        replaces=tuple(sorted(_uids(document.get(FIRM[1]) or ()))),
        judged=judged,
        why=why,
    )


def said_by(document: Dataset, meanings: Sequence[Meaning]) -> tuple[Judged | None, str]:
    """What the content says, or why that is not understood."""
    items = list(_items(document))
    own = {code for item in items if (code := _own_word(item)) in OWN_WORDS}
    words = {word for code in own if (word := OWN_WORDS[code]) is not None}
    if own:
        return _one(words, "no_verdict")
    mapped = {one.means for item in items for one in meanings if _fits(item, one)}
    if any(_is_modified(item) for item in items for one in meanings if _fits(item, one)):
        return None, "modified"
    if mapped:
        return _one(mapped, "not_understood")
    return _one({word for item in items if (word := _decision(item))}, "not_understood")


def _one(found: set[Judged], nothing: str) -> tuple[Judged | None, str]:
    """The only word, or why there is none."""
    if len(found) == 1:
        return next(iter(found)), ""
    return None, "contradictory" if found else nothing


def _items(item: Dataset, level: int = 0) -> Iterator[Dataset]:
    """All content items, the root included."""
    yield item
    for child in (item.get("ContentSequence") or ()) if level < DEEPEST else ():
        yield from _items(child, level + 1)


def _code(item: Dataset, name: str) -> Code:
    """The code in a sequence of one item; ("", "") where there is none."""
    for code in item.get(name) or ():
        value = next((code.get(one) for one in ("CodeValue", "LongCodeValue", "URNCodeValue")
                      if code.get(one)), "")  # fmt: skip
        return str(value), str(code.get("CodingSchemeDesignator") or "")
    return "", ""


def _own_word(item: Dataset) -> str:
    """The value of our own code for what a reader says of the whole result; "" for another."""
    concept = codes.JUDGEMENT.value, codes.PRIVATE
    value, scheme = _code(item, "ConceptCodeSequence")
    is_ours = _code(item, "ConceptNameCodeSequence") == concept and scheme == codes.PRIVATE
    return value if is_ours else ""


def _decision(item: Dataset) -> Judged | None:
    """Our own coded decision, as `measurement_sr` writes it."""
    if _code(item, "ConceptNameCodeSequence") != (BRAIN.finding.value, BRAIN.finding.scheme):
        return None
    answer = _code(item, "ConceptCodeSequence")
    known = {(one.value, one.scheme_designator): name for name, one in codes.DECISIONS.items()}
    return DECIDED.get(known.get(answer, ""))


def _fits(item: Dataset, meaning: Meaning) -> bool:
    """Whether an item is the answer that has a meaning."""
    if _code(item, "ConceptNameCodeSequence") != meaning.concept:
        return False
    if isinstance(meaning.answer, str):
        return _folded(str(item.get("TextValue") or "")) == _folded(meaning.answer)
    return _code(item, "ConceptCodeSequence") == meaning.answer


def _is_modified(item: Dataset) -> bool:
    """Whether something below it changes what it says, as "ruled out" does."""
    children = item.get("ContentSequence") or ()
    return any(one.get("RelationshipType") == "HAS CONCEPT MOD" for one in children)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _uids(datasets: Sequence[Dataset]) -> Iterator[str]:
    """Every ReferencedSOPInstanceUID at any depth."""
    for dataset in datasets:
        for element in dataset.iterall():
            if element.keyword == "ReferencedSOPInstanceUID" and element.value:
                yield str(element.value)


def _reader(document: Dataset) -> str:
    """The latest verifying observer, else the person who observed (TID 1003)."""
    observers = list(document.get("VerifyingObserverSequence") or ())
    if observers:
        last = max(observers, key=lambda one: str(one.get("VerificationDateTime") or ""))
        return _folded(str(last.get("VerifyingObserverName") or "").replace("^", " "))
    names = (item.get("PersonName") for item in _items(document))
    return _folded(str(next((name for name in names if name), "")).replace("^", " "))


def _given_at(document: Dataset) -> float:
    """When it was verified, else written; local time where it names no zone."""
    observers = document.get("VerifyingObserverSequence") or ()
    at = max((str(one.get("VerificationDateTime") or "") for one in observers), default="")
    try:
        if at:
            moment: datetime | None = DT(at)
        else:
            day, hour = DA(document.get("ContentDate")), TM(document.get("ContentTime") or "0000")
            moment = datetime.combine(day, hour) if day and hour else None
        return moment.timestamp() if moment is not None else 0.0
    except (ValueError, TypeError, OverflowError):
        return 0.0
