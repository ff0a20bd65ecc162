"""What verified reports mean, and who is asked for them."""

from typing import Any

import pytest

from tests.configs import problems


@pytest.mark.parametrize(
    ("feedback", "problem"),
    [
        ({"source": {"destination": "nobody"}}, "feedback.source.destination: no DICOM"),
        ({"codes": [{"concept": "121077", "code": "1 X", "means": "ms"}]}, "is no code"),
        (
            {"texts": [{"concept": "1 X", "text": " ", "means": "ms"}]},
            "feedback.texts.0.text: is empty",
        ),
        (
            {"codes": [{"concept": "1 X", "code": "2 X", "means": "ms"},
                       {"concept": "1 X", "code": "2 X", "means": "not_ms"}]},
            "feedback.codes.1.means: the same answer means ms before",
        ),
    ],
)  # fmt: skip
def test_what_reports_mean_is_said_once_and_a_source_is_a_destination(
    feedback: dict[str, Any], problem: str
) -> None:
    assert any(problem in line for line in problems({"feedback": feedback}))
