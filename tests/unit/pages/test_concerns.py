"""What is wrong with the node, in the words of the pages."""

import string

import pytest

from msnode.notices.conditions import LEVELS, RISES, Level, Rise
from msnode.pages.admin.concerns import SEEN_HERE
from msnode.pages.frame.page_words import page_phrases


@pytest.mark.parametrize("condition", [*LEVELS, *RISES], ids=lambda one: one.alert)
def test_every_condition_has_words(condition: Level | Rise) -> None:
    if condition.alert in SEEN_HERE:
        return
    phrase = page_phrases("en")[f"admin.alert_{condition.alert}"]
    values = {name for _, name, _, _ in string.Formatter().parse(phrase) if name}
    told = {name for _, name, _, _ in string.Formatter().parse(condition.text) if name}
    assert values <= told - {"count"}
