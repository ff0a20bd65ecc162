import pytest

from msnode.deliver.peer_answers import DELIVERED, REFUSED, describe, outcome
from msnode.store.commitments import remedy


@pytest.mark.parametrize("status", [0x0000, 0x0001, 0xB000, 0xB006, 0xB007, 0xB123, 0x0107, 0x0116])
def test_success_and_warnings_are_delivered(status: int) -> None:
    assert outcome(status) == "delivered"


def test_a_duplicate_is_delivered_as_an_earlier_answer_got_lost() -> None:
    assert outcome(0x0111) == "delivered"


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0110, 0x0213, 0x0210, 0xFE00, 0x1234])
def test_what_may_change_is_tried_again(status: int) -> None:
    assert outcome(status) == "retry"


@pytest.mark.parametrize("status", [0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0122, 0x0124, 0x0117])
def test_what_will_not_change_is_not(status: int) -> None:
    assert outcome(status) == "refused"


def test_no_status_means_two_things() -> None:
    for ours in DELIVERED:
        assert not any(set(ours) & set(theirs) for theirs in REFUSED)


def test_a_status_is_described_by_the_standard() -> None:
    assert describe(0xA700) == "0xA700 Refused: Out of Resources"
    assert describe(0xB123) == "0xB123 not in PS3.4 B.2.3"


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        (0x0112, "resend"),
        (0x0110, "ask"),
        (0x0213, "ask"),
        (0x0131, "ask"),
        (0x0119, "none"),
        (0x0122, "none"),
        (0xA700, "resend"),
    ],
)
def test_what_helps_depends_on_the_reason_of_the_failure(reason: int, helps: str) -> None:
    text, remedied = remedy(reason)
    assert remedied == helps
    assert f"not committed: 0x{reason:04X} " in text
