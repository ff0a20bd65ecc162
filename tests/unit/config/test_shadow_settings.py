"""What is said of shadows that cannot be told apart, or do nothing."""

from typing import Any

import pytest

from msnode import config
from tests.configs import BASE, problems

ONE = {"name": "next", "bundle": "next"}


def of(**classify: Any) -> dict[str, Any]:
    return {"classify": classify}


def test_any_number_of_shadows_may_be_named() -> None:
    read = config.parse(of(shadow=[ONE, {"name": "other", "bundle": "other"}]), BASE)
    assert [one.bundle for one in read.classify.shadow] == [BASE / "next", BASE / "other"]


@pytest.mark.parametrize(
    ("classify", "problem"),
    [
        ({"shadow": [ONE, ONE | {"bundle": "other"}]}, "2 are called 'next'"),
        ({"shadow": [ONE, ONE | {"name": "other"}]}, "classify.shadow.0.bundle"),
        ({"bundle": "next", "shadow": [ONE]}, "is named twice"),
        ({"shadow_backlog": 5}, "does nothing without shadow"),
        ({"shadow": [ONE | {"name": "../x"}]}, "classify.shadow.0.name"),
        ({"shadow": [{"name": "next"}]}, "bundle"),
        ({"shadow": [ONE | {"memory_bytes": 1}]}, "memory_bytes"),
        ({"smears": {}}, "bundle"),
    ],
)
def test_what_is_wrong_is_said_with_the_key(classify: dict[str, Any], problem: str) -> None:
    assert any(problem in line for line in problems(of(**classify)))
