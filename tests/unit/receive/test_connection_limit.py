"""Who gets a connection."""

from hypothesis import given
from hypothesis import strategies as st

from msnode.receive.access.connection_limit import ConnectionLimit


def test_one_address_gets_half_and_leaves_the_rest_to_others() -> None:
    gate = ConnectionLimit(100)
    assert [gate.enter("10.0.0.1") for _ in range(300)].count(True) == 50
    assert [gate.enter("10.0.0.2") for _ in range(300)].count(True) == 25
    assert gate.enter("10.0.0.3")


def test_a_place_given_back_is_free_again() -> None:
    gate = ConnectionLimit(2)
    for _ in range(5):
        assert gate.enter("10.0.0.1")
        assert not gate.enter("10.0.0.1")
        gate.leave("10.0.0.1")


@given(st.lists(st.integers(0, 5), max_size=200))
def test_a_newcomer_gets_in_while_there_is_a_place(addresses: list[int]) -> None:
    gate = ConnectionLimit(64)
    taken = sum(gate.enter(str(address)) for address in addresses)
    assert taken < 64
    assert gate.enter("newcomer")
