"""Whatever a source answers, no study waits for it for ever."""

import time

import pytest

from msnode.config import DicomPeer
from msnode.deliver import image_counts
from msnode.deliver.image_counts import AT_ONCE, ImageCounts
from msnode.errors import MsnodeError

PACS = DicomPeer("pacs", "PACS", "127.0.0.1", 104)


@pytest.mark.parametrize(
    "error", [AttributeError("SeriesInstanceUID"), TypeError("int"), MsnodeError("no answer")]
)
def test_bad_answers_keep_no_later_study_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fails(*_: object) -> dict[str, int]:
        raise error

    monkeypatch.setattr(image_counts, "PAUSE_S", 0.0)
    monkeypatch.setattr(image_counts, "count_images", fails)
    counts = ImageCounts(PACS, "MSNODE")
    for number in range(AT_ONCE + 1):
        study = f"1.2.{number}"
        assert answered(counts, study), "a study whose source cannot tell is taken"
    monkeypatch.setattr(image_counts, "count_images", lambda *_: {"1.3": 5})
    assert not answered(counts, "1.2.99")
    assert "was not counted" in caplog.text
    assert "SeriesInstanceUID" not in caplog.text, "an answer may be quoted in an error"


def answered(counts: ImageCounts, study: str) -> bool:
    """What it says once it has an answer; four of five images came."""
    for _ in range(200):
        if (said := counts.has_all(study, {"1.3": 4})) is not None:
            return said
        time.sleep(0.01)
    raise TimeoutError
