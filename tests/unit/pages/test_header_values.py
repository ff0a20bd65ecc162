"""Names, days and numbers as people write them."""

import pytest

from msnode.pages.frame.header_values import person_name, typed_day, typed_number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("DOE^JANE^ANN^DR", "DOE, JANE ANN"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("=山田^太郎", "山田, 太郎"),
        ("^^=山田^太郎=", "山田, 太郎"),
        ("محمد^أحمد", "محمد, أحمد"),
        ("^", ""),
        ("", ""),
    ],
)
def test_a_name_is_that_of_the_first_group_that_has_one(value: str, shown: str) -> None:
    assert person_name(value) == shown


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("15.1.2025", "2025-01-15"), ("15. 01. 2025", "2025-01-15"), ("2025-01", "2025-01"),
        ("1/2/2025", "1/2/2025"), ("", ""),
    ],
)  # fmt: skip
def test_a_day_with_dots_is_taken_and_nothing_is_guessed(typed: str, taken: str) -> None:
    assert typed_day(typed) == taken


@pytest.mark.parametrize(
    ("typed", "taken"), [("3,5", "3.5"), ("3.5", "3.5"), ("1,234", "1,234"), ("a,b", "a,b")]
)
def test_a_decimal_comma_is_a_point(typed: str, taken: str) -> None:
    assert typed_number(typed) == taken
