"""Sentences: the same in every language, on disk and in another process."""

import ast
import copy
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msnode
from msnode.errors import NotAnalysable
from msnode.records.images import SeriesChoice
from msnode.records.sentences import Sentence, from_json, phrases, to, to_json, words
from msnode.records.vocabulary import SMEAR
from msnode.report.localised import LANGUAGES
from msnode.store.files import decode, encode

SOURCES = sorted(Path(msnode.__file__).parent.rglob("*.py"))
WHY = Sentence(
    "tried",
    why=Sentence("described", word="flair"),
    refusal=Sentence(
        "no_head",
        faults=[
            Sentence("off_limits", what=Sentence("gate_fill"), value=0.25, low=0.3, high=0.75),
            Sentence("off_limits", what=Sentence("gate_width"), value=300.0, low=110, high=205),
        ],
    ),
)


def placeholders(phrase: str) -> set[str]:
    """The names in a format string."""
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase_with_the_same_placeholders(language: str) -> None:
    english, other = phrases("en"), phrases(language)
    assert list(other) == list(english)
    for code, phrase in english.items():
        assert placeholders(other[code]) == placeholders(phrase), code
        assert other[code].strip()


def used() -> set[str]:
    """Every literal in the program: a phrase's code is one of them, or made of one."""
    return {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_phrase_is_left_over() -> None:
    literals = used()
    # gate_<name>, <stage>_failed, region_<name>, lesion_<change>, legend_<group>, <change>_count,
    # because_<change>, event_<kind>, side_<laterality>
    made = (
        "gate_", "_failed", "region_", "side_", "lesion_", "legend_", "_count",
        "because_", "event_",
    )  # fmt: skip
    plain = {code: code.removeprefix(SMEAR.prefix) for code in phrases("en")}
    over = [
        code
        for code, other in plain.items()
        if not {code, other} & literals and not any(m in code for m in made)
    ]
    assert over == []


def test_a_sentence_is_english_until_it_is_put_into_another_language() -> None:
    assert WHY == (
        "the word 'flair' in its description; but PixelData does not look like a head: "
        "part of its bounding box that the body fills is 0.25, expected 0.3 to 0.75; "
        "left-right extent in mm is 300, expected 110 to 205"
    )
    german = to(WHY, "de")
    assert "das Wort 'flair' in der Beschreibung; aber PixelData sieht nicht" in german
    assert "ist 0,25, erwartet 0,3 bis 0,75" in german
    assert to("as it stands", "de") == "as it stands"


def test_a_sentence_survives_the_disk_and_another_process() -> None:
    choice = SeriesChoice("1.2", "FLAIR", 3, False, WHY)
    (read,) = decode(encode([choice]), tuple[SeriesChoice, ...])
    assert to(read.why, "fr") == to(WHY, "fr")
    assert to(copy.deepcopy(WHY), "nl") == to(WHY, "nl")
    assert to(NotAnalysable(WHY).reason, "es") == to(WHY, "es")


def test_what_older_and_newer_versions_stored_is_read() -> None:
    old = b'[{"uid": "1", "description": "", "instances": 1, "chosen": false, "why": "too thin"}]'
    assert decode(old, tuple[SeriesChoice, ...])[0].why == "too thin"
    assert from_json("too thin") == "too thin"
    newer = {"code": "not_known_yet", "values": {}, "text": "something new"}
    assert from_json(newer) == "something new"
    changed = {"code": "body_part", "values": {}, "text": "BodyPartExamined is FOOT"}
    assert from_json(changed) == "BodyPartExamined is FOOT"


@given(st.text(max_size=40), st.floats(allow_nan=False, allow_infinity=False))
def test_values_are_never_taken_for_placeholders(word: str, value: float) -> None:
    made = Sentence("named", name=word, why=Sentence("outside_field", value=value, known="{0}"))
    assert f"{word}: " in made
    again = from_json(to_json(made))
    assert [to(again, language) for language in LANGUAGES] == [
        to(made, language) for language in LANGUAGES
    ]


def test_a_phrase_without_its_values_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        words("body_part", "en")
