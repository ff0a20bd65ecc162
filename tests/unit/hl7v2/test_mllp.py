"""Blocks on a connection: however they are cut, whatever stands around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.hl7v2.mllp import Blocks, NoBlock, block

CONTENT = st.binary(max_size=50).map(lambda one: one.replace(b"\x0b", b"").replace(b"\x1c", b""))


def taken(blocks: Blocks) -> list[bytes]:
    found = []
    while (one := blocks.next()) is not None:
        found.append(one)
    return found


@given(st.lists(CONTENT, max_size=5), st.lists(st.integers(1, 30), max_size=20))
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    messages: list[bytes], sizes: list[int]
) -> None:
    stream, blocks, found = b"".join(map(block, messages)), Blocks(100), []
    for size in [*sizes, len(stream) + 1]:
        blocks.feed(stream[:size])
        stream = stream[size:]
        found += taken(blocks)
    assert found == messages
    assert blocks.halves == 0


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\n \t", b"\r\x00"])
def test_what_some_senders_put_between_blocks_is_passed_over(between: bytes) -> None:
    blocks = Blocks(100)
    blocks.feed(between + b"\x0bone\x1c" + between + block(b"two"))
    assert taken(blocks) == [b"one", b"two"]


def test_a_half_message_is_nothing_when_it_is_begun_anew() -> None:
    blocks = Blocks(100)
    blocks.feed(b"\x0bhal")
    assert taken(blocks) == []
    blocks.feed(b"\x0bhalf no more\x1c\r\x0bnext")
    assert taken(blocks) == [b"half no more"]
    assert blocks.halves == 1
    assert blocks.is_open


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"MSH|^~\\&", b"\x0b" + b"x" * 101])
def test_what_is_no_block_or_too_large_is_told(data: bytes) -> None:
    blocks = Blocks(100)
    blocks.feed(data)
    with pytest.raises(NoBlock):
        taken(blocks)
