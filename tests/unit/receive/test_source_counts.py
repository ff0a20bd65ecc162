"""A study whose source has more images of a series than came."""

from collections.abc import Mapping
from functools import partial

import pytest

from msnode.receive import Inbox
from tests.unit.receive.datasets import STUDY, mr, store
from tests.unit.receive.test_studies import RULE, Evidence


@pytest.mark.parametrize(
    ("answers", "taken", "reason"),
    [
        ({104: None, 105: True}, 105, "evidence"),
        ({105: False, 120: True}, 120, "evidence"),
        ({105: False}, 158, "fewer"),
        ({160: False}, 160, "fewer"),
        ({105: None}, 173, "idle"),
    ],
)
def test_a_study_of_which_the_source_has_more_waits(
    inbox: Inbox, answers: dict[int, bool | None], taken: int, reason: str
) -> None:
    store(inbox, mr(), at=98)
    for now in range(100, taken + 1):
        said = [answer for at, answer in answers.items() if at <= now][-1:] or [None]

        def has_all(study: str, held: Mapping[str, int], said: bool | None) -> bool | None:
            assert (study, sum(held.values())) == (STUDY, 1)
            return said

        ask = partial(has_all, said=said[0])
        studies = inbox.complete(now, RULE, Evidence(1), has_all=ask)
        assert len(studies) == (now == taken), now
    assert [study.completion for study in studies] == [reason]
