"""Which kind of image a series is: FLAIR, T1, T2, PD or something else, and by what."""

from typing import NamedTuple

from msnode.prepare.series_header import MR_IMAGES, Header
from msnode.records.sentences import Sentence, Value
from msnode.records.series_words import is_other_body_part, kind_in, refused_in


class Contrast(NamedTuple):
    """The kind of image and the attributes that say so."""

    kind: str
    by: Sentence


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
    if is_other_body_part(header.body_part):
        return Sentence("body_part", part=header.body_part)
    if (term := refused_type(header)) is not None:
        return Sentence("by_image_type", what=Sentence(_REFUSED_TYPES[term]), term=term)
    if header.component != "MAGNITUDE":
        return Sentence("component", component=header.component)
    if (refused := refused_in(header.words)) is not None:
        return Sentence("by_words", what=Sentence(refused[0]), word=refused[1])
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
    found = kind_in(words)
    return Contrast(found[0], Sentence("described", word=found[1])) if found else None


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
