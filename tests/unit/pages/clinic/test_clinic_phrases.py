"""The clinic's pages speak five languages, and have words for all that can be said."""

import pytest

from msnode.pages.frame.page_words import Language, page_phrases
from msnode.records.feedback import KINDS, REASONS
from msnode.twin.clinical.event_kinds import KINDS as EVENT_KINDS


def mine(language: Language) -> dict[str, str]:
    return {code: one for code, one in page_phrases(language).items() if code.startswith("clinic.")}


@pytest.mark.parametrize("language", ["de", "fr", "es", "nl"])
def test_sentences_are_translated(language: Language) -> None:
    english, other = mine("en"), mine(language)
    same = [code for code, phrase in english.items() if " " in phrase and other[code] == phrase]
    terms = {"clinic.kind_t25fw", "clinic.kind_nine_hole_peg", "clinic.before", "clinic.diameter"}
    sources = {code for code in english if code.startswith("clinic.source_")}
    assert set(same) <= terms | sources


def test_each_kind_of_answer_and_of_event_has_its_words() -> None:
    made = {f"clinic.said_{one}" for one in KINDS} | {f"clinic.reason_{one}" for one in REASONS}
    assert made | {f"clinic.kind_{one}" for one in EVENT_KINDS} <= set(mine("en"))
