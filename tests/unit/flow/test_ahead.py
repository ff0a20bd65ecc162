"""Work on a study that may still grow: used for the very same images, left for any others."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from msnode import metrics
from msnode.flow.ahead import KEPT, Ahead
from msnode.records.images import Study


def study(name: str = "1.2.3", images: int = 3, generation: int = 1) -> Study:
    paths = tuple(Path(f"{name}/{number}") for number in range(images))
    return Study(name, generation, "", paths, 0.0)


class Stages:
    """Stages that note what they are asked for, and wait where a test wants it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = ""
        self.reason: str | None = None
        self.ahead = Ahead(self.stage("prepare"), self.stage("outline"), self.stage("classify"))

    def stage(self, name: str) -> Any:
        def do(of: Study) -> Any:
            self.asked.append((name, of.study_instance_uid, len(of.paths)))
            assert self.go_on.wait(10)
            if name == self.fails:
                raise ZeroDivisionError
            return SimpleNamespace(name=name, of=of, reason=self.reason)

        return do

    def begin(self, of: Study) -> None:
        """Begin, and wait until all of it is done."""
        self.ahead.begin(of)
        self.wait()

    def wait(self) -> None:
        running = self.ahead._running
        assert running is not None
        running.result(10)


@pytest.fixture
def stages() -> Iterator[Stages]:
    made = Stages()
    yield made
    made.go_on.set()
    made.ahead.stop()


def number(outcome: str) -> float:
    return float(metrics.AHEAD.labels(outcome)._value.get())


def test_what_was_done_is_used(stages: Stages) -> None:
    before, made = number("used"), study()
    stages.begin(made)
    ahead: Any = stages.ahead
    assert ahead.prepared(made).name == "prepare"
    assert ahead.outlined(made).name == "outline"
    assert ahead.classified(made).name == "classify"
    asked = [name for name, *_ in stages.asked]
    assert asked[0] == "prepare"
    assert sorted(asked[1:]) == ["classify", "outline"], "in any order"
    assert number("used") == before + 1
    assert ahead.prepared(made) is None, "nothing is kept of it"


@pytest.mark.parametrize(
    "other", [study(images=4), study(generation=2)], ids=["image", "generation"]
)
def test_for_other_images_nothing_is(stages: Stages, other: Study) -> None:
    before = number("stale")
    stages.begin(study())
    assert stages.ahead.prepared(other) is None
    assert stages.ahead.outlined(other) is None
    assert stages.ahead.classified(other) is None
    assert number("stale") == before + 1


def test_a_step_waits_for_what_is_under_way(stages: Stages) -> None:
    stages.go_on.clear()
    made, got = study(), []
    stages.ahead.begin(made)
    waiting = threading.Thread(target=lambda: got.append(stages.ahead.prepared(made)))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    stages.go_on.set()
    waiting.join(10)
    assert got[0] is not None


def test_nobody_writes_into_the_folder_that_a_step_takes(stages: Stages) -> None:
    """A late image: what is being prepared comes to its end before the step begins anew."""
    stages.go_on.clear()
    stages.ahead.begin(study())
    done = threading.Event()
    late = study(images=4)

    def take() -> None:
        stages.ahead.prepared(late)
        done.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not done.wait(0.1)
    stages.go_on.set()
    assert done.wait(10)
    waiting.join()
    stages.wait()
    assert [name for name, *_ in stages.asked] == ["prepare"], "what is not begun is left"


@pytest.mark.parametrize("fails", ["prepare", "outline", "classify"])
def test_what_fails_is_left_to_the_step(stages: Stages, fails: str) -> None:
    stages.fails = fails
    made = study()
    stages.begin(made)
    got = {
        "prepare": stages.ahead.prepared(made),
        "outline": stages.ahead.outlined(made),
        "classify": stages.ahead.classified(made),
    }
    lost = set(got) if fails == "prepare" else {fails}
    assert {name for name, made in got.items() if made is None} == lost


def test_what_cannot_be_analysed_is_not_gone_on_with(stages: Stages) -> None:
    stages.reason = "no FLAIR"
    made = study()
    stages.begin(made)
    ahead: Any = stages.ahead
    assert ahead.prepared(made).reason == "no FLAIR"
    assert [name for name, *_ in stages.asked] == ["prepare"]


def test_it_is_outlined_and_classified_beside_each_other() -> None:
    both = threading.Barrier(2)

    def meet(_of: Study) -> Any:
        return both.wait(10)

    ahead: Any = Ahead(lambda of: SimpleNamespace(reason=None), meet, meet)  # type: ignore[arg-type,return-value]
    ahead.begin(study())
    assert {ahead.outlined(study()), ahead.classified(study())} == {0, 1}
    ahead.stop()


def test_one_study_at_a_time_and_each_once(stages: Stages) -> None:
    stages.go_on.clear()
    stages.ahead.begin(study())
    stages.ahead.begin(study("4.5.6"))
    stages.go_on.set()
    stages.wait()
    stages.begin(study())
    assert {uid for _, uid, _ in stages.asked} == {"1.2.3"}
    assert len(stages.asked) == 3


def test_little_is_kept(stages: Stages) -> None:
    for at in range(KEPT + 2):
        stages.begin(study(f"1.{at}"))
    assert stages.ahead.prepared(study("1.0")) is None
    assert stages.ahead.prepared(study(f"1.{KEPT + 1}")) is not None


def test_after_a_stop_nothing_is_begun(stages: Stages) -> None:
    stages.ahead.stop()
    stages.ahead.begin(study())
    assert stages.asked == []
