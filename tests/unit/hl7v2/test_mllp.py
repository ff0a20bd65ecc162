"""Blocks on a connection: however they are cut, whatever stands around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msnode.hl7v2.mllp import END, Blocks, NoBlock, block

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


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\n \t", b"\r\x00"])
def test_what_some_senders_put_between_blocks_is_passed_over(between: bytes) -> None:
    blocks = Blocks(100)
    blocks.feed(between + block(b"one") + between + block(b"two"))
    assert taken(blocks) == [b"one", b"two"]


def test_an_end_is_waited_for_until_it_is_whole() -> None:
    blocks = Blocks(100)
    blocks.feed(b"\x0bone\x1c")
    assert taken(blocks) == []
    assert blocks.is_open
    blocks.feed(b"\r\x0bnext")
    assert taken(blocks) == [b"one"]
    assert blocks.is_open


def test_an_answer_may_end_without_cr() -> None:
    blocks = Blocks(100, END)
    blocks.feed(b"\x0bone\x1c")
    assert taken(blocks) == [b"one"]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"MSH|^~\\&",
        b"\x0b" + b"x" * 101,
        b"\x0bone\x1ctwo\x1c\r",
        b"\x0bone\x1c\x1c\r",
        b"\x0bone\x1c\n",
        b"\x0bone\x0btwo\x1c\r",
        b"\x0b\x0bone\x1c\r",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_block_or_too_large_is_told(data: bytes, size: int) -> None:
    blocks, found = Blocks(100), list[bytes]()

    def feed() -> None:
        for start in range(0, len(data), size):
            blocks.feed(data[start : start + size])
            found.extend(taken(blocks))

    with pytest.raises(NoBlock):
        feed()
    assert found == []
