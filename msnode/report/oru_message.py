"""The result as an HL7 v2 message, ORU^R01: from a template that an administrator can change.

HL7 v2.5.1: 7.3.1 (ORU), 7.4.1 (OBR), 7.4.2 (OBX), 3.4.2 (PID), 2.7 (escape sequences). The message
is made once, with the result, so that every attempt to send it sends the same bytes.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from msnode.config import Describe, Hl7Destination
from msnode.errors import InvalidResult
from msnode.hl7v2.hl7_message import LONGEST, Unreadable, segments
from msnode.hl7v2.message_header import header_of
from msnode.records.results import Report
from msnode.records.vocabulary import Coded
from msnode.report import codes, wording
from msnode.report.case import USUAL, Case, load

ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\"}
BROKEN = (OSError, TemplateError, TypeError, ValueError, ArithmeticError, LookupError,
          AttributeError, RecursionError)  # fmt: skip
"""What a site's template may provoke."""
STUDY = Coded("113014", "DCM", "Study")
NOT_ANALYSED = Coded("NOT_ANALYSED", codes.PRIVATE, "Not analysed")
PERCENT = Coded("%", "UCUM", "percent")
COUNTS = Coded("{counts}", "UCUM", "counts")
MILLILITRE = Coded("mL", "UCUM", "milliliter")


@dataclass(frozen=True, slots=True)
class Heading:
    """What the message says of itself: MSH, and the status of the result.

    Attributes:
        status: of OBR-25 and OBX-11 (HL7 tables 0123 and 0085).
        created: when the result came about, YYYYMMDDHHMMSS with the offset of the study's zone.
        revision: from 1; a later one replaces the earlier ones.
    """

    control_id: str
    created: str
    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    processing: str
    status: str
    revision: int


@dataclass(frozen=True, slots=True)
class Person:
    """Whose result it is, as the images say: PID."""

    id: str
    issuer: str
    family: str
    given: str
    middle: str
    prefix: str
    suffix: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """Of which study: OBR.

    Attributes:
        order: AccessionNumber, or else StudyInstanceUID: what OBR-3 must have.
        at: date and time of the study, YYYYMMDD[HHMM[SS]].
    """

    uid: str
    accession: str
    order: str
    at: str
    description: str
    procedure: Coded
    referring_family: str
    referring_given: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One OBX: a value, or a code.

    Attributes:
        type: of OBX-2: NM, CWE, ST or FT.
        name: what is told (OBX-3).
        value: as text; "" where there is a code.
        coded: the code, or None.
        unit: UCUM, or None.
    """

    type: str
    name: Coded
    value: str = ""
    coded: Coded | None = None
    unit: Coded | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a template is given, by these names."""

    message: Heading
    patient: Person
    study: StudyFacts
    observations: tuple[Observation, ...]


def render_result(report: Report, describe: Describe, destination: Hl7Destination) -> str:
    """The message of a result for a destination; the same report gives the same message.

    Raises:
        Refused: the header of the source images cannot be copied.
        InvalidResult: the destination's template makes no message.
    """
    return rendered(facts(report, describe, destination), destination.template)


def facts(report: Report, describe: Describe, destination: Hl7Destination) -> Facts:
    """What there is to say of a result."""
    case = load(report, describe, USUAL)
    study = case.header.study
    return Facts(
        _heading(case, destination),
        _person(study),
        _study(report, study),
        tuple(_observations(case)),
    )


def rendered(told: Facts, template: Path | None) -> str:
    """A message by a template, with its segments ended by CR.

    Args:
        told: what there is to say.
        template: None: the one that comes with the program.

    Raises:
        InvalidResult: it cannot be read, or makes no message that could be sent.
    """
    try:
        text = _source(template)
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, finalize=escaped, trim_blocks=True, lstrip_blocks=True
        )
        made = environment.from_string(text).render(
            message=told.message,
            patient=told.patient,
            study=told.study,
            observations=told.observations,
        )
    except BROKEN as error:
        raise InvalidResult(f"the template cannot be used: {_why(error)}") from error
    lines = [line for line in re.split(r"[\r\n]+", made) if line.strip()]
    message = "".join(f"{line}\r" for line in lines)
    check(message, told.message.control_id)
    return message


def escaped(value: object) -> str:
    """A value as it may stand in a field: escape sequences for what separates fields."""
    text = "" if value is None else re.sub(r"\r\n?", "\n", str(value))
    return "".join(ESCAPES.get(one, one) for one in text if one == "\n" or one.isprintable())


def check(message: str, control_id: str) -> None:
    """Whether a message can be sent: read by our own reader, and an ORU^R01 with a result.

    Raises:
        InvalidResult: it cannot; says why, and quotes nothing.
    """
    encoded = message.encode()
    try:
        header, found = header_of(encoded), segments(encoded.rstrip(b"\r"))
    except Unreadable as error:
        raise InvalidResult(f"the template makes no message: {error.place} {error.fix}") from error
    names = [one.name for one in found]
    missing = [name for name in ("PID", "OBR", "OBX") if name not in names]
    wrong = [f"it has no {name}" for name in missing]
    if header.kind != "ORU^R01":
        wrong.append("MSH-9 is not ORU^R01")
    if header.text(10) != control_id:
        wrong.append("MSH-10 is not {{ message.control_id }}, by which a repeat is told")
    if header.text(18) != "UNICODE UTF-8":
        wrong.append("MSH-18 is not UNICODE UTF-8, in which it is sent")
    if len(encoded) > LONGEST:
        wrong.append(f"it has more than {LONGEST} bytes")
    if wrong:
        raise InvalidResult(f"the template makes no ORU^R01: {'; '.join(wrong)}")


def sample_facts(destination: Hl7Destination) -> Facts:
    """An invented result, with all that can be told, to try a template with."""
    study = StudyFacts("1.2.3.4", "A1", "A1", "202601021200", "MRI", _procedure([]), "House", "G")
    return Facts(
        _heading_of("1.2.3.4", 2, datetime(2026, 1, 2, 12, tzinfo=UTC), destination),
        Person("P1", "HOSPITAL", "Doe", "Jane", "", "", "", "19800101", "F"),
        study,
        (
            Observation("CWE", Coded("MS_PATTERN", codes.PRIVATE, "Pattern"), coded=NOT_ANALYSED),
            Observation("NM", Coded("STUDY_PROB", codes.PRIVATE, "P"), "12.5", unit=PERCENT),
            Observation("ST", STUDY, "1.2.3.4"),
            Observation("FT", _coded(codes.IMPRESSION), "first line | ^ & ~ \\\nsecond line"),
        ),
    )


def _source(template: Path | None) -> str:
    if template is not None:
        return template.read_text(encoding="utf-8")
    return (files("msnode.report") / "templates" / "oru_r01.hl7").read_text(encoding="utf-8")


def _why(error: Exception) -> str:
    """What is wrong with a template; a file's name and a line, and nothing of a patient."""
    if isinstance(error, TemplateError):
        line = getattr(error, "lineno", None)
        return f"{error.message}" + (f", line {line}" if line else "")
    return str(error) if isinstance(error, OSError) else type(error).__name__


def _heading(case: Case, destination: Hl7Destination) -> Heading:
    """In the zone of the study's times, which name none, so that a receiver takes this (2.A.22)."""
    uid, generation = case.report.study_instance_uid, case.report.generation
    return _heading_of(uid, generation, case.created, destination)


def _heading_of(uid: str, generation: int, at: datetime, destination: Hl7Destination) -> Heading:
    """A status of F is a correction from the second result on, the others stay what they are."""
    named = f"{uid}\n{generation}\n{destination.name}".encode()
    is_correction = destination.status == "F" and generation > 1
    return Heading(
        control_id=hashlib.sha256(named).hexdigest()[:20].upper(),
        created=f"{at:%Y%m%d%H%M%S%z}",
        sending_application=destination.sending_application,
        sending_facility=destination.sending_facility,
        receiving_application=destination.receiving_application,
        receiving_facility=destination.receiving_facility,
        processing=destination.processing,
        status="C" if is_correction else destination.status,
        revision=generation,
    )


def _person(study: Any) -> Person:
    """PN has prefix before suffix (PS3.5 6.2), XPN after it (2.A.88)."""
    family, given, middle, prefix, suffix = _name(study.PatientName)
    return Person(
        id=str(study.PatientID),
        issuer=str(study.get("IssuerOfPatientID", "")),
        family=family,
        given=given,
        middle=middle,
        prefix=prefix,
        suffix=suffix,
        birth_date=str(study.PatientBirthDate),
        sex=str(study.PatientSex) or "U",
    )


def _name(person: Any) -> list[str]:
    """The five parts of the first group that is not empty: letters, ideographs, or sounds."""
    groups = str(person).split("=")
    told = next((one for one in groups if one.strip("^ ")), "")
    return (told.split("^") + [""] * 5)[:5]


def _study(report: Report, study: Any) -> StudyFacts:
    accession, uid = str(study.AccessionNumber), report.study_instance_uid
    time = re.sub(r"\..*", "", str(study.StudyTime)) if study.StudyDate else ""
    referring = _name(study.ReferringPhysicianName)
    return StudyFacts(
        uid=uid,
        accession=accession,
        order=accession or uid,
        at=f"{study.StudyDate}{time if len(time) in (4, 6) else ''}",
        description=str(study.get("StudyDescription", "")),
        procedure=_procedure(study.get("ProcedureCodeSequence", [])),
        referring_family=referring[0],
        referring_given=referring[1],
    )


def _procedure(codes_of_study: Any) -> Coded:
    """What was done, by the study's own code, or else as an imaging report (OBR-4 is required)."""
    for one in codes_of_study:
        return Coded(
            str(one.get("CodeValue", "")), str(one.get("CodingSchemeDesignator", "")),
            str(one.get("CodeMeaning", "")),
        )  # fmt: skip
    return _coded(codes.IMAGING_REPORT)


def _coded(concept: Any) -> Coded:
    return Coded(concept.value, concept.scheme_designator, concept.meaning)


def _observations(case: Case) -> Iterator[Observation]:
    """The result: in codes and numbers, then in sentences."""
    report, words = case.report, case.report.words
    finding = report.finding
    decision = _coded(codes.DECISIONS[finding.decision]) if finding is not None else NOT_ANALYSED
    yield Observation("CWE", words.finding, coded=decision)
    if finding is not None:
        percent = f"{100 * finding.probability:.1f}"
        yield Observation("NM", words.study_probability, percent, unit=PERCENT)
        priority = _coded(codes.PRIORITIES[report.is_urgent])
        yield Observation("CWE", _coded(codes.READING_PRIORITY), coded=priority)
    if case.has_outlines:
        yield from _lesions(case)
    yield Observation("ST", STUDY, report.study_instance_uid)
    yield Observation("FT", _coded(codes.IMPRESSION), "\n".join(_sentences(case)))


def _lesions(case: Case) -> Iterator[Observation]:
    """How many, how large, and what has changed."""
    found = case.outlined
    count, name = str(len(found.lesions)), _coded(codes.NUMBER_OF_LESIONS)
    yield Observation("NM", name, count, unit=COUNTS)
    yield Observation("NM", _coded(codes.VOLUME), f"{found.ml:.3f}", unit=MILLILITRE)
    if found.comparison.status == "compared":
        for change in ("new", "enlarging"):
            number = str(found.comparison.count(change))
            yield Observation("NM", _coded(codes.COUNTED[change]), number, unit=COUNTS)


def _sentences(case: Case) -> list[str]:
    """First of all that nobody has verified it; then the result, and what it replaces."""
    told = [case.say("banner"), case.say("limits"), *wording.changes(case), *wording.outcome(case)]
    return [*told, *wording.issues(case), *filter(None, [wording.notice(case)])]
