"""Which kind of image a series is: FLAIR, T1, T2, PD or something else, and by what."""

import re
from typing import NamedTuple

from msnode.prepare.series_header import MR_IMAGES, Header
from msnode.records.sentences import Sentence, Value


class Contrast(NamedTuple):
    """The kind of image and the attributes that say so."""

    kind: str
    by: Sentence


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

#: Terms of ImageType (PS3.3 C.8.3.1.1.1 and vendors' habits) that a classifier never wants, with a
#: phrase for each.
_REFUSED_TYPES = {
    "LOCALIZER": "localizer",
    "DIFFUSION": "diffusion",
    "ADC": "diffusion_map",
    "TRACEW": "diffusion",
    "FA": "diffusion_map",
    "EADC": "diffusion_map",
    "PERFUSION": "perfusion",
    "ASL": "perfusion",
    "FMRI": "functional",
    "TOF": "angiography",
    "FLOW_ENCODED": "angiography",
    "ANGIO": "angiography",
    "MIP": "projection",
    "MNIP": "projection",
    "MINIP": "projection",
    "PROJECTION IMAGE": "projection",
    "SUBTRACTION": "subtraction",
    "SUB": "subtraction",
    "PHASE MAP": "phase_image",
    "MOSAIC": "mosaic",
    "SCREEN SAVE": "screen_shot",
    "SPECTROSCOPY": "spectroscopy",
}

#: Words of SeriesDescription, ProtocolName or SequenceName that a classifier never wants.
_REFUSED_WORDS = (
    (r"locali[sz]|lokali[sz]|\bloc\b|scout|survey|smartbrain|aahead|3 ?-?plane", "localizer"),
    (r"\bdwi|diff|\badc\b|tracew|\bdti|\bdki\b|\bb ?1000", "diffusion"),
    (r"\bmra\b|\btof|angio|venogr|\bpca\b|\bmrv\b", "angiography"),
    (r"\bm(in)?ip\b|projection", "projection"),
    (r"perf|\bdsc\b|\basl\b|\bcbf\b|\bcbv\b", "perfusion"),
    (r"\bfmri|\bbold\b|resting", "functional"),
    (r"\bcsi\b|\bsvs\b|spectro", "spectroscopy"),
    (r"calib|field ?map|\bb[01] ?map", "calibration"),
    (r"subtr", "subtraction"),
)

_OTHER_BODY_PARTS = re.compile(
    r"^(?!.*(?:HEAD|BRAIN|SKULL)).*(?:SPINE|NECK|CHEST|THORAX|ABDOMEN|PELVIS|HEART|BREAST|LIVER|PROSTATE|SHOULDER|ELBOW|WRIST"
    r"|HAND|HIP|KNEE|ANKLE|FOOT|LEG|ARM|EXTREMITY|UTERUS|KIDNEY|PANCREAS)"
)


def unsuitable(header: Header) -> Sentence | None:
    """Why a series can be no head image for a classifier, whatever its kind; None if it can."""
    if header.modality != "MR":
        if not header.modality:
            return Sentence("modality_absent")
        return Sentence("modality", modality=header.modality)
    if header.sop_class_uid not in MR_IMAGES:
        return Sentence("sop_class")
    if header.animal:
        return Sentence("animal")
    if _OTHER_BODY_PARTS.search(header.body_part):
        return Sentence("body_part", part=header.body_part)
    for term in header.image_type:
        if term in _REFUSED_TYPES:
            return Sentence("by_image_type", what=Sentence(_REFUSED_TYPES[term]), term=term)
    for pattern, what in _REFUSED_WORDS:
        if found := re.search(pattern, header.words):
            return Sentence("by_words", what=Sentence(what), word=found[0])
    return None


def contrast(header: Header) -> Contrast:
    """The kind of image: by the times where they are there, else by words."""
    words = by_words(header.words)
    if header.echo_ms is None or header.repetition_ms is None:
        if words is None:
            return Contrast("other", Sentence("no_times"))
        return words
    if "EP" in header.sequence and (words is None or words.kind != "FLAIR"):
        return Contrast("other", Sentence("echo_planar"))
    times: dict[str, Value] = {"repetition": header.repetition_ms, "echo": header.echo_ms}
    if header.inversion_ms:
        by = Sentence("times_inversion", inversion=header.inversion_ms, **times)
    else:
        by = Sentence("times", **times)
    return Contrast(_by_times(header, "" if words is None else words.kind), by)


def by_words(words: str) -> Contrast | None:
    """The kind of image that free text speaks of, None where it does not."""
    for kind, pattern in _WORDS:
        if found := re.search(pattern, words.lower()):
            return Contrast(kind, Sentence("described", word=found[0]))
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
