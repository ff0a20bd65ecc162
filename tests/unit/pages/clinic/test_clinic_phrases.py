"""Every phrase of the clinic's pages is there in five languages, with the same placeholders."""

import re
from string import Formatter

import pytest

from msnode.pages.frame.page_words import LANGUAGES, PHRASES, Language, page_phrases
from msnode.records.feedback import KINDS, REASONS
from msnode.twin.clinical.event_kinds import KINDS as EVENT_KINDS

TEMPLATES = PHRASES.parent / "templates" / "clinic"


def mine(language: Language) -> dict[str, str]:
    return {code: one for code, one in page_phrases(language).items() if code.startswith("clinic.")}


def placeholders(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_each_phrase_with_its_placeholders(language: Language) -> None:
    english, other = mine("en"), mine(language)
    assert set(other) == set(english)
    assert {c: placeholders(p) for c, p in other.items()} == {
        code: placeholders(phrase) for code, phrase in english.items()
    }


@pytest.mark.parametrize("language", ["de", "fr", "es", "nl"])
def test_sentences_are_translated(language: Language) -> None:
    english, other = mine("en"), mine(language)
    same = [code for code, phrase in english.items() if " " in phrase and other[code] == phrase]
    terms = {"clinic.kind_t25fw", "clinic.kind_nine_hole_peg", "clinic.before", "clinic.diameter"}
    sources = {code for code in english if code.startswith("clinic.source_")}
    assert set(same) <= terms | sources


def test_what_templates_say_is_there_and_nothing_else() -> None:
    text = "".join(path.read_text("utf-8") for path in TEMPLATES.glob("*.html"))
    said = set(re.findall(r'"(clinic\.[a-z_]+)"', text))
    begun = tuple(re.findall(r'"(clinic\.[a-z_]*)" ~', text))
    assert {code for code in said if not code.startswith(begun) or code in mine("en")} <= set(
        mine("en")
    )
    made = {f"clinic.said_{one}" for one in KINDS} | {f"clinic.reason_{one}" for one in REASONS}
    made |= {f"clinic.kind_{one}" for one in EVENT_KINDS} | {"clinic.at_slice"}
    assert made <= set(mine("en"))
    words = set(re.findall(r'"([a-z_]+)"', text))
    unused = {
        code for code in mine("en")
        if code not in said | made and not code.startswith(begun)
        and code.removeprefix("clinic.") not in words
    }  # fmt: skip
    assert unused == set()
