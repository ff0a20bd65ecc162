"""Series by their times and words, in the habits of several vendors and languages."""

from dataclasses import replace
from pathlib import Path

import pytest

from msnode.prepare.contrast import contrast, unsuitable
from msnode.prepare.series_header import CLASSIC, Header

BASE = Header(
    path=Path("f"),
    frame=None,
    uid="1.2",
    sop_instance_uid="1.2.3",
    number=1,
    instance=1,
    sop_class_uid=CLASSIC,
    modality="MR",
    description="",
    words="",
    sequence=frozenset({"SE"}),
    repetition_ms=None,
    echo_ms=None,
    inversion_ms=None,
    image_type=("ORIGINAL", "PRIMARY", "M"),
    component="MAGNITUDE",
    body_part="BRAIN",
    orientation=(1, 0, 0, 0, 1, 0),
    is_placed=True,
    spacing=(1.0, 1.0),
    size=(256.0, 256.0),
    frames=1,
    agent=False,
    animal=False,
)


def header(
    words: str = "",
    sequence: str = "SE",
    tr: float | None = None,
    te: float | None = None,
    ti: float | None = None,
) -> Header:
    known = replace(BASE, words=words, sequence=frozenset(sequence.split()))
    return replace(known, repetition_ms=tr, echo_ms=te, inversion_ms=ti)


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        ("FLAIR", header("t2 tirm tra dark-fluid", "SE IR", 9000, 89, 2500)),  # Siemens 2-D
        ("FLAIR", header("t2 space dark-fluid sag", "SE IR", 5000, 393, 1800)),  # Siemens 3-D
        ("FLAIR", header("sag t2 flair cube", "RM", 6500, 115, 1650)),  # GE 3-D
        ("FLAIR", header("3d brain view flair shc", "SE IR", 4800, 290, 1650)),  # Philips 3-D
        ("FLAIR", header("flair longtr", "SE", 11000, 125, None)),  # InversionTime left out
        ("FLAIR", header("", "SE IR", 8000, 105, None)),  # no words at all
        ("FLAIR", header("ax flair 0.3t", "SE IR", 6000, 90, 1350)),  # low field
        ("FLAIR", header("ax flair")),  # de-identified: words alone
        ("FLAIR", header("轴位 压水")),
        ("FLAIR", header("フレア 横断")),
        ("FLAIR", header("акс флаир")),
        ("T1", header("t1 flair", "SE IR", 2000, 24, 860)),  # GE's T1 FLAIR is a T1
        ("T1", header("t1 mprage sag", "GR IR", 2300, 2.98, 900)),
        ("T1", header("fspgr bravo", "GR", 8.2, 3.2, 450)),
        ("T1", header("t1 se tra", "SE", 550, 12)),
        ("T1", header("", "GR", 6.5, 2.93)),
        ("STIR", header("t2 tirm cor", "SE IR", 4000, 60, 160)),
        ("DIR", header("3d dir", "SE IR", 7500, 320, 3000)),
        ("T2", header("t2 tse tra", "SE", 4000, 100)),
        ("T2", header("t2 space sag", "SE", 3200, 408)),
        ("PD", header("pd tse", "SE", 3000, 15)),
        ("T2*", header("t2 fl2d hemo", "GR", 650, 20)),
        ("other", header("ep2d b0", "EP", 3500, 90)),
        ("other", header("", "SE")),
    ],
)
def test_kind(kind: str, of: Header) -> None:
    assert contrast(of).kind == kind


def test_reason_names_the_attributes() -> None:
    assert contrast(header("x", "SE IR", 9000, 89, 2500)).by == (
        "InversionTime 2500 ms, RepetitionTime 9000 ms, EchoTime 89 ms"
    )


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("modality", "CT", "Modality is CT"),
        ("modality", "", "Modality is absent"),
        ("sop_class_uid", "1.2.840.10008.5.1.4.1.1.7", "SOPClassUID"),
        ("body_part", "KNEE", "BodyPartExamined is KNEE"),
        ("animal", True, "QUADRUPED"),
        ("image_type", ("ORIGINAL", "PRIMARY", "LOCALIZER"), "a localizer by ImageType"),
        ("image_type", ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "diffusion by ImageType"),
        ("image_type", ("DERIVED", "SECONDARY", "PROJECTION IMAGE"), "a projection"),
        ("image_type", ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"), "a mosaic"),
        ("words", "3-plane loc", "a localizer by"),
        ("words", "survey", "a localizer by"),
        ("words", "ep2d diff 3scan trace", "diffusion by"),
        ("words", "tof 3d multi-slab", "angiography by"),
        ("words", "mip range tra", "a projection by"),
    ],
)
def test_unsuitable(attribute: str, value: object, reason: str) -> None:
    found = unsuitable(replace(BASE, **{attribute: value}))  # type: ignore[arg-type]
    assert found is not None
    assert reason in found


@pytest.mark.parametrize("part", ["BRAIN", "HEAD", "SKULL", "HEADNECK", "KOPF", "TETE", ""])
def test_heads_are_suitable(part: str) -> None:
    assert unsuitable(replace(BASE, body_part=part, words="t2 flair tra")) is None
