"""Multipart bodies that were changed anywhere: an answer each, and nothing that is not whole."""

import random
from collections.abc import Iterator

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msnode import config
from tests.integration.listening import Receiver
from tests.integration.stowing import BOUNDARY, RELATED, multipart, part10, post, store
from tests.unit.receive.datasets import kept, mr

EXAMPLES = 150
SHARED = [HealthCheck.function_scoped_fixture]
KINDS = [RELATED + '; boundary="', "multipart/related; boundary=*''x", ";;;="]
TEXT = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]))
ANSWERS = {200, 202, 400, 409, 413, 415}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder = tmp_path_factory.mktemp("data")
    web = config.Dicomweb(port=0)
    receive = config.Receive(
        address="127.0.0.1", port=0, min_free_bytes=0, network_timeout_s=2.0, dicomweb=web
    )
    running = Receiver(f"sqlite:///{folder / 'msnode.sqlite'}", folder, receive)
    assert running.web is not None
    running.web._services.pace.stop()  # refusals would make the test wait
    yield running
    running.close()


def port_of(receiver: Receiver) -> int:
    assert receiver.web is not None
    return receiver.web.port


BODY = multipart(
    part10(mr(SOPInstanceUID=f"1.2.3.{i}", PixelData=random.Random(i).randbytes(128)))
    for i in range(3)
)
PIECES = (b"", b"\r\n", b"--", f"--{BOUNDARY}".encode(), f"\r\n--{BOUNDARY}--\r\n".encode(),
          b"\0" * 200, b"\xff" * 8, b"DICM", b"Content-Type: text/plain\r\n")  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The body with a few places cut out, doubled or overwritten."""
    body = BODY
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(start + draw(st.sampled_from([0, 1, 2, 7, 60, 1000])), len(body))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)))
        body = body[:start] + (body[start:end] * 2 if draw(st.booleans()) else piece) + body[end:]
    return body


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=mutated(), chunk=st.sampled_from([0, 1, 13, 500]))
def test_every_body_gets_an_answer_and_what_it_names_is_kept(
    receiver: Receiver, body: bytes, chunk: int
) -> None:
    pieces = (body[i : i + chunk] for i in range(0, len(body), chunk)) if chunk else body
    answer = post(port_of(receiver), pieces)
    assert answer.status in ANSWERS, answer
    if answer.status in (200, 202):
        rows = {row[0] for row in receiver.rows()}
        assert set(answer.stored()) <= rows
    assert not list((receiver.folder / "incoming").glob("*/*.part"))


@settings(max_examples=50, suppress_health_check=SHARED)
@given(value=st.one_of(TEXT, st.sampled_from(KINDS)))
def test_every_content_type_gets_an_answer(receiver: Receiver, value: str) -> None:
    answer = post(port_of(receiver), BODY, Content_Type=value.strip())
    assert answer.status in ANSWERS, answer


def test_afterwards_all_that_is_kept_is_readable_and_more_is_taken(receiver: Receiver) -> None:
    assert store(port_of(receiver), [mr()]).status == 200
    for path in kept(receiver.folder):
        assert pydicom.dcmread(path).SOPInstanceUID
