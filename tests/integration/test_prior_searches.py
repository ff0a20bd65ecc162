"""Searches on SQLite and PostgreSQL: who has to wait, who missed what, and what is an answer."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from msnode.receive.inbox.redo import revise
from msnode.records.uid_hash import uid_hash
from msnode.store import prior_searches as module
from msnode.store.database import StudyState, open_database, prior_searches, studies
from msnode.store.prior_searches import Fate, PriorSearches, PriorStudy, State
from msnode.store.schema import migrate

KEY, PRIOR = "a" * 16, "1.2.3"


def nobody(_: sa.Connection) -> list[str]:
    return []


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    migrate(engine)
    row = {"study_key": KEY, "study_instance_uid": "1.9", "patient_key": "p" * 32,
           "generation": 1, "state": "done", "first_at": 0.0, "last_at": 0.0}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(studies.insert(), row)
    yield engine
    engine.dispose()


@pytest.fixture
def searches(engine: sa.Engine) -> PriorSearches:
    searches = PriorSearches(engine)
    searches.begin(KEY, 1, {"pacs": 60.0})
    searches.found(KEY, "pacs", [PriorStudy(PRIOR, "20200101", Fate.CHOSEN, "", {"1.2.3.4": 30})])
    return searches


def changed(engine: sa.Engine, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(studies.update().values(**values))


def test_a_result_waits_until_the_search_is_settled_or_the_time_is_over(
    searches: PriorSearches,
) -> None:
    assert 59 < searches.holds([KEY])[KEY] <= 60
    soon = time.time() + 30
    searches.told(KEY, "pacs", state=State.OPEN, due_at=soon, failed=True)
    assert searches.holds([KEY]), "it is asked again in time"
    searches.told(KEY, "pacs", state=State.OPEN, due_at=soon + 60, failed=True)
    assert searches.holds([KEY]) == {}, "it is asked again too late: nothing is to be waited for"
    assert searches.failures(KEY, "pacs") == 2
    searches.begin(KEY, 2, {"other": 60.0})
    searches.told(KEY, "other", state=State.DONE)
    assert searches.holds([KEY]) == {}


def test_a_search_begins_once_and_anew_only_when_asked_for(searches: PriorSearches) -> None:
    searches.told(KEY, "pacs", state=State.DONE)
    searches.begin(KEY, 2, {"pacs": 60.0})
    assert searches.open_of(KEY) == {}
    searches.begin(KEY, 2, {"pacs": 60.0}, anew=True)
    assert searches.open_of(KEY) == {"pacs": 2}
    searches.told(KEY, "pacs", state=State.DONE)
    searches.begin(KEY, 2, {"pacs": 60.0}, anew=True)
    assert searches.open_of(KEY) == {}, "a crash repeats what began it"


def test_what_comes_after_the_comparison_is_news_once(
    engine: sa.Engine, searches: PriorSearches
) -> None:
    searches.looked(KEY, 1, nobody)
    assert searches.is_awaited(KEY, 1)
    searches.came(KEY, "pacs", uid_hash(PRIOR), None)
    changed(engine, state=StudyState.DONE)
    assert revise(engine) == [], "the attempt may bring more"
    searches.told(KEY, "pacs", state=State.DONE)
    changed(engine, state=StudyState.QUEUED)
    assert revise(engine) == [], "its result is under way"
    changed(engine, state=StudyState.DONE)
    assert revise(engine) == [(KEY, 2)]
    assert revise(engine) == []
    changed(engine, state=StudyState.DONE)
    assert revise(engine) == []
    searches.looked(KEY, 2, nobody)
    assert not searches.is_awaited(KEY, 2)


def test_what_another_search_brought_is_news_too(
    engine: sa.Engine, searches: PriorSearches
) -> None:
    searches.looked(KEY, 1, nobody)
    searches.told(KEY, "pacs", state=State.DONE, elsewhere=True)
    assert revise(engine) == [(KEY, 2)]
    searches.looked(KEY, 2, nobody)
    searches.told(KEY, "pacs", state=State.DONE, elsewhere=True)
    changed(engine, state=StudyState.DONE)
    assert revise(engine) == [], "it was compared with all there is"


def test_what_comes_before_it_is_none(engine: sa.Engine, searches: PriorSearches) -> None:
    searches.came(KEY, "pacs", uid_hash(PRIOR), None)
    searches.told(KEY, "pacs", state=State.DONE)
    searches.looked(KEY, 1, nobody)
    assert not searches.is_awaited(KEY, 1)
    assert revise(engine) == []


def test_what_is_of_no_use_is_no_news(engine: sa.Engine, searches: PriorSearches) -> None:
    searches.looked(KEY, 1, nobody)
    searches.came(KEY, "pacs", uid_hash(PRIOR), "no_head")
    searches.told(KEY, "pacs", state=State.DONE)
    assert revise(engine) == []
    [one] = searches.priors(KEY)
    assert (one.fate, one.reason) == (Fate.UNUSABLE, "no_head")
    searches.found(KEY, "pacs", [PriorStudy(PRIOR, "20200101", Fate.CHOSEN, "")])
    assert [one.fate for one in searches.priors(KEY)] == [Fate.UNUSABLE], "that stays"


def test_a_study_without_its_images_is_not_revised(
    engine: sa.Engine, searches: PriorSearches
) -> None:
    searches.looked(KEY, 1, nobody)
    searches.came(KEY, "pacs", uid_hash(PRIOR), None)
    searches.told(KEY, "pacs", state=State.DONE)
    changed(engine, images_deleted_at=1.0)
    assert revise(engine) == []
    with engine.connect() as connection:
        assert not connection.scalar(sa.select(prior_searches.c.news))


def test_only_what_was_asked_for_of_late_is_an_answer(
    searches: PriorSearches, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searches.whose(PRIOR) == (set(), set())
    searches.asks(KEY, "pacs", uid_hash(PRIOR))
    assert searches.whose(PRIOR) == ({"p" * 32}, set())
    assert searches.whose("1.2") == (set(), set())
    assert len(searches.asked_since("pacs", time.time() - 10)) == 1
    searches.found(KEY, "pacs", [PriorStudy(PRIOR, "20200101", Fate.CHOSEN, "")])
    assert searches.whose(PRIOR) == ({"p" * 32}, set()), "whatever is found the next time"
    searches.identify(PRIOR, "p" * 32)
    searches.identify(PRIOR, "p" * 48)
    searches.identify(PRIOR, "p" * 32)
    assert searches.whose(PRIOR)[1] == {"p" * 48}, "with the issuer, whatever comes after"
    searches.found(KEY, "pacs", [PriorStudy(PRIOR, "20200101", Fate.CHOSEN, "")])
    assert searches.whose(PRIOR)[1] == {"p" * 48}
    monkeypatch.setattr(module, "OPEN_S", 0.0)
    assert searches.whose(PRIOR) == (set(), set())


def test_a_source_that_is_not_configured_any_more_is_given_up(searches: PriorSearches) -> None:
    searches.abandon(["pacs"])
    assert searches.open_of(KEY)
    searches.abandon(["other"])
    assert searches.open_of(KEY) == {}
    assert searches.holds([KEY]) == {}
