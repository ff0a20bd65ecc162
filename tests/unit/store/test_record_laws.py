"""Records come back from the disk as they went, whatever they say."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from msnode.records.images import SeriesChoice, SourceFrame, Study
from msnode.records.population import Acquisition
from msnode.records.receipt import Receipt
from msnode.records.results import ModelInfo
from msnode.store.files import decode, encode
from tests.unit.records.test_sentence_laws import SENTENCES, is_same

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.floats(allow_nan=False)
PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)

CHOICES = st.builds(SeriesChoice, TEXTS, TEXTS, st.integers(), st.booleans(), why=TEXTS | SENTENCES)
STUDIES = st.builds(
    Study, TEXTS, st.integers(), TEXTS, st.lists(PATHS.map(Path), max_size=3).map(tuple), NUMBERS
)
FRAMES = st.builds(
    SourceFrame,
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | st.integers(),
    st.integers(),
    st.integers(),
    st.lists(NUMBERS, min_size=16, max_size=16).map(lambda v: np.array(v).reshape(4, 4)),
)
RECEIPTS = st.builds(
    Receipt, TEXTS, TEXTS, st.none() | st.integers(0, 0xFFFF), st.booleans(), st.integers(), TEXTS
)
MODELS = st.builds(ModelInfo, TEXTS, TEXTS, TEXTS, NUMBERS, st.none() | st.tuples(NUMBERS, NUMBERS))


@given(st.lists(CHOICES, max_size=4).map(tuple))
def test_choices_of_series_with_their_reasons(choices: tuple[SeriesChoice, ...]) -> None:
    read = decode(encode(choices), tuple[SeriesChoice, ...])
    assert read == choices
    for one, other in zip(read, choices, strict=True):
        assert is_same(one.why, other.why)


@given(STUDIES)
def test_studies_with_their_paths(study: Study) -> None:
    assert decode(encode(study), Study) == study


@given(FRAMES)
def test_frames_with_their_affines(frame: SourceFrame) -> None:
    read = decode(encode(frame), SourceFrame)
    np.testing.assert_array_equal(read.affine, frame.affine)
    names = [name for name in SourceFrame.__slots__ if name != "affine"]
    assert [getattr(read, name) for name in names] == [getattr(frame, name) for name in names]


@given(st.lists(RECEIPTS, max_size=4), MODELS)
def test_receipts_and_models(receipts: list[Receipt], model: ModelInfo) -> None:
    assert decode(encode(receipts), list[Receipt]) == receipts
    assert decode(encode(model), ModelInfo) == model
    assert decode(encode(Acquisition()), Acquisition) == Acquisition()
