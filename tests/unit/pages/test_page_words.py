"""The words of the pages: all in five languages, each used, each with the same placeholders."""

import re
import string
from pathlib import Path

import pytest

import msnode.manage
import msnode.pages
from msnode.pages.frame.page_words import LANGUAGES, PageWords, page_phrases

SOURCES = [Path(one.__file__ or "").parent for one in (msnode.pages, msnode.manage)]


def placeholders(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    english, other = page_phrases("en"), page_phrases(language)
    assert other.keys() == english.keys()
    assert {code: placeholders(one) for code, one in other.items()} == {
        code: placeholders(one) for code, one in english.items()
    }
    assert all(other.values())


def test_every_phrase_is_used() -> None:
    text = "".join(
        path.read_text()
        for folder in SOURCES
        for path in folder.rglob("*")
        if path.suffix in (".py", ".html", ".js")
    )
    parts = set(re.findall(r"\w+", text))
    begins = tuple(re.findall(r'"\w+\.(\w+_)" ~|f"(?:\w+\.)?(\w+_)\{', text))
    prefixes = tuple({one for pair in begins for one in pair if one})
    unused = [
        code
        for code in page_phrases("en")
        if code not in text
        and not code.partition(".")[2].startswith(prefixes)
        and not {code.partition(".")[2], code.partition(".")[2].removesuffix("_title")} & parts
    ]
    assert unused == []


def test_numbers_have_the_languages_sign() -> None:
    assert PageWords("en").number(1.25, 2) == "1.25"
    assert PageWords("de").number(1.25, 2) == "1,25"
