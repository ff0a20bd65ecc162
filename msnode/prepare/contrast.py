"""Which kind of image a series is: FLAIR, T1, T2, PD or something else, and by what."""

import re
from typing import NamedTuple

from msnode.prepare.series_header import MR_IMAGES, Header
from msnode.records.sentences import Sentence, Value


class Contrast(NamedTuple):
    """The kind of image and the attributes that say so."""

    kind: str
    by: Sentence


#: Words of scanners, protocols and technologists in several languages, the first match wins. A
#: letter or digit beside "t1", "t2" makes another word of it (PAT2), but for "2d" and "3d".
_WORDS = (
    ("DIR", r"\bdir\b|double ?inv"),
    ("FLAIR", r"flair|dark ?-?fl(uid)?\b|fluid ?-?att|\bda ?-?fl\b|压水|水抑制|フレア|флаир|флэир"),
    ("STIR", r"\bstir\b|\btirm"),
    ("T2*", r"(?<![a-z0-9])t2 ?(\*|star)|\bswi|\bswan\b|venobold|\bhemo\b|\bhaemo\b|\bmedic\b"),
    ("T1", r"(?<![a-z0-9])([23]d ?-?)?t1(?![0-9])|mp2?rage|bravo|fspgr|\btfl|vibe|\b3d ?tfe"),
    ("PD", r"\bpd|\bproton|\bdp\b"),
    ("T2", r"(?<![a-z0-9])([23]d ?-?)?t2(?![0-9])|\bciss\b|fiesta|\bdrive\b"),
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

#: Whole words that a classifier never wants in a series' description.
_REFUSED_WORDS = (
    (r"locali[sz]er?s?|localisateur|lokali[sz]er|loc|scout|survey|smartbrain|aahead|3 ?-?plane",
     "localizer"),
    (r"(ep2d ?)?dwi ?\d*|diff?(usion(en)?|usión|usie)?|adc ?(map)?|tracew|dti ?\d*|dki|b ?1000",
     "diffusion"),
    (r"(ce ?-?)?mra|tofs?( ?3d)?|angio(graphy|graphie|grafia|gramm?)?|venogra(m|phy|phie)|pca|mrv",
     "angiography"),
    (r"m(in)?ips?|proje[ck]tions?|projektion(en)?", "projection"),
    (r"perf|perfusion(en)?|perfusión|perfusie|dsc|p?c?asl|r?cb[fv]", "perfusion"),
    (r"(rs ?-?)?fmri|bold|resting( ?state)?", "functional"),
    (r"csi|svs|spectro(scop(y|ie|ia))?", "spectroscopy"),
    (r"calibration|kalibrierung|calib|cal scan|(b0 ?)?field ?map(ping)?|b[01] ?map(ping)?",
     "calibration"),
    (r"subtra[ck]t(ion|ed)?|subtr", "subtraction"),
)  # fmt: skip

_NEGATION = r"(?<!no )(?<!non )(?<!w/o )(?<!without )(?<!sans )(?<!ohne )(?<!sin )(?<!zonder )"

_OTHER_BODY_PARTS = re.compile(
    r"^(?!.*(?:HEAD|BRAIN|SKULL)).*\b(?:[CTLS]{0,2}SPINE|NECK|CHEST|THORAX|ABDOMEN|PELVIS|HEART"
    r"|BREASTS?|LIVER|PROSTATE|SHOULDERS?|ELBOW|WRIST|HANDS?|HIPS?|KNEES?|ANKLE|(?:FORE)?FOOT|FEET"
    r"|(?:UPPER|LOWER)?LEGS?|(?:UPPER|LOWER|FORE)?ARMS?|(?:LOW|UP)?EXM|EXTREMIT(?:Y|IES)|UTERUS"
    r"|KIDNEYS?|PANCREAS|THIGH|CALF)\b"
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
    if _OTHER_BODY_PARTS.search(header.body_part.replace("_", " ")):
        return Sentence("body_part", part=header.body_part)
    if (term := refused_type(header)) is not None:
        return Sentence("by_image_type", what=Sentence(_REFUSED_TYPES[term]), term=term)
    if header.component != "MAGNITUDE":
        return Sentence("component", component=header.component)
    for pattern, what in _REFUSED_WORDS:
        whole = rf"(?<![^\W\d_]){_NEGATION}(?:{pattern})(?![^\W\d_])"
        if found := re.search(whole, header.words):
            return Sentence("by_words", what=Sentence(what), word=found[0])
    return None


def refused_type(header: Header) -> str | None:
    """The term of ImageType for which an image is never wanted; None where there is none."""
    return next((term for term in header.image_type if term in _REFUSED_TYPES), None)


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
