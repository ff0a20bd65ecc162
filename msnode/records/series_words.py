"""What the free text of a series says of it: the kind of image, and what no classifier wants.

The same words decide before a series is fetched, when nothing else is known of it, and when it is
here.
"""

import re

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


def kind_in(text: str) -> tuple[str, str] | None:
    """The kind of image that free text speaks of and the word that says so; None without one."""
    for kind, pattern in _WORDS:
        if found := re.search(pattern, text.lower()):
            return kind, found[0]
    return None


def refused_in(text: str) -> tuple[str, str] | None:
    """What makes a series one that is never wanted, by a phrase, and the word that says so.

    Args:
        text: SeriesDescription and the like, in lower case.
    """
    for pattern, what in _REFUSED_WORDS:
        whole = rf"(?<![^\W\d_]){_NEGATION}(?:{pattern})(?![^\W\d_])"
        if found := re.search(whole, text):
            return what, found[0]
    return None


def is_other_body_part(text: str) -> bool:
    """Whether a BodyPartExamined, in capitals, names parts of the body but not the head."""
    return _OTHER_BODY_PARTS.search(text.replace("_", " ")) is not None
