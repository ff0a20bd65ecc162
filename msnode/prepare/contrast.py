"""Which kind of image a series is: FLAIR, T1, T2, PD or something else, and by what."""

import re
from typing import NamedTuple

from msnode.prepare.header import MR_IMAGES, Header


class Contrast(NamedTuple):
    """The kind of image and the attributes that say so."""

    kind: str
    by: str


#: Words of scanners, protocols and technologists in several languages, the first match wins.
_WORDS = (
    ("DIR", r"\bdir\b|double ?inv"),
    ("FLAIR", r"flair|dark ?-?fl(uid)?\b|fluid ?-?att|da ?-?fl\b|压水|水抑制|フレア|флаир|флэир"),
    ("STIR", r"\bstir\b|tirm"),
    ("T2*", r"t2 ?\*|t2 ?star|\bswi|swan|venobold|\bhemo|haemo|\bmedic\b"),
    ("T1", r"t1|mp2?rage|bravo|fspgr|\btfl|vibe|\b3d ?tfe"),
    ("PD", r"\bpd|proton|\bdp\b"),
    ("T2", r"t2|ciss|fiesta|\bdrive\b"),
)

#: Terms of ImageType (PS3.3 C.8.3.1.1.1 and vendors' habits) that a classifier never wants.
_REFUSED_TYPES = {
    "LOCALIZER": "a localizer",
    "DIFFUSION": "diffusion",
    "ADC": "a diffusion map",
    "TRACEW": "diffusion",
    "FA": "a diffusion map",
    "EADC": "a diffusion map",
    "PERFUSION": "perfusion",
    "ASL": "perfusion",
    "FMRI": "functional MRI",
    "TOF": "angiography",
    "FLOW_ENCODED": "angiography",
    "ANGIO": "angiography",
    "MIP": "a projection",
    "MNIP": "a projection",
    "MINIP": "a projection",
    "PROJECTION IMAGE": "a projection",
    "SUBTRACTION": "a subtraction",
    "SUB": "a subtraction",
    "PHASE MAP": "a phase image",
    "MOSAIC": "a mosaic of slices without their own positions",
    "SCREEN SAVE": "a screen shot",
    "SPECTROSCOPY": "spectroscopy",
}

#: Words of SeriesDescription, ProtocolName or SequenceName that a classifier never wants.
_REFUSED_WORDS = (
    (r"locali[sz]|lokali[sz]|\bloc\b|scout|survey|smartbrain|aahead|3 ?-?plane", "a localizer"),
    (r"\bdwi|diff|\badc\b|tracew|\bdti|\bdki\b|\bb ?1000", "diffusion"),
    (r"\bmra\b|\btof|angio|venogr|\bpca\b|\bmrv\b", "angiography"),
    (r"\bm(in)?ip\b|projection", "a projection"),
    (r"perf|\bdsc\b|\basl\b|\bcbf\b|\bcbv\b", "perfusion"),
    (r"\bfmri|\bbold\b|resting", "functional MRI"),
    (r"\bcsi\b|\bsvs\b|spectro", "spectroscopy"),
    (r"calib|field ?map|\bb[01] ?map", "a calibration scan"),
    (r"subtr", "a subtraction"),
)

_OTHER_BODY_PARTS = re.compile(
    r"^(?!.*(?:HEAD|BRAIN|SKULL)).*(?:SPINE|NECK|CHEST|THORAX|ABDOMEN|PELVIS|HEART|BREAST|LIVER|PROSTATE|SHOULDER|ELBOW|WRIST"
    r"|HAND|HIP|KNEE|ANKLE|FOOT|LEG|ARM|EXTREMITY|UTERUS|KIDNEY|PANCREAS)"
)


def unsuitable(header: Header) -> str | None:
    """Why a series can be no head image for a classifier, whatever its kind; None if it can."""
    if header.modality != "MR":
        return f"Modality is {header.modality or 'absent'}, not MR"
    if header.sop_class_uid not in MR_IMAGES:
        return "SOPClassUID is not that of MR images with a position in the patient"
    if header.animal:
        return "AnatomicalOrientationType is QUADRUPED: not a person"
    if _OTHER_BODY_PARTS.search(header.body_part):
        return f"BodyPartExamined is {header.body_part}"
    for term in header.image_type:
        if term in _REFUSED_TYPES:
            return f"{_REFUSED_TYPES[term]} by ImageType {term}"
    for pattern, meaning in _REFUSED_WORDS:
        if found := re.search(pattern, header.words):
            return f"{meaning} by {found[0]!r} in SeriesDescription, ProtocolName or SequenceName"
    return None


def contrast(header: Header) -> Contrast:
    """The kind of image: by the times where they are there, else by words."""
    words = by_words(header.words)
    if header.echo_ms is None or header.repetition_ms is None:
        if words is None:
            return Contrast("other", "no RepetitionTime, EchoTime or telling SeriesDescription")
        return words
    times = f"RepetitionTime {header.repetition_ms:g} ms, EchoTime {header.echo_ms:g} ms"
    if header.inversion_ms:
        times = f"InversionTime {header.inversion_ms:g} ms, " + times
    if "EP" in header.sequence and (words is None or words.kind != "FLAIR"):
        return Contrast("other", "ScanningSequence EP")
    return Contrast(_by_times(header, "" if words is None else words.kind), times)


def by_words(words: str) -> Contrast | None:
    """The kind of image that free text speaks of, None where it does not."""
    for kind, pattern in _WORDS:
        if found := re.search(pattern, words.lower()):
            return Contrast(kind, f"the word {found[0]!r} in its description")
    return None


def _by_times(header: Header, words: str) -> str:
    """The kind by RepetitionTime, EchoTime and InversionTime, in ms, of 0.3 T to 7 T scanners."""
    tr, te, ti = header.repetition_ms or 0.0, header.echo_ms or 0.0, header.inversion_ms or 0.0
    inversion = "IR" in header.sequence or ti > 0
    if inversion and words == "DIR":
        return "DIR"
    if 0 < ti < 350 and "GR" not in header.sequence:
        return "STIR"
    if te >= 50 and (ti >= 1300 or (not ti and words == "FLAIR")):
        return "FLAIR"
    if inversion and te >= 50 and tr >= 6000 and words != "STIR":
        return "FLAIR"
    if inversion:
        return "T1" if te < 50 else "other"
    if "GR" in header.sequence and "SE" not in header.sequence:
        return "T1" if te < 12 and words != "T2*" else "T2*"
    if tr < 1500:
        return "T1" if te < 45 else "other"
    return "PD" if te < 45 else "T2"
