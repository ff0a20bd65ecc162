"""The pieces of STOW-RS by themselves: parts, answers, media types, settings."""

import pytest

from msnode import config
from msnode.receive.dicomweb.multipart_related import BadMultipart, MultipartRelated
from msnode.receive.dicomweb.part10_part import Stored
from msnode.receive.dicomweb.store_answer import status_of


class Parts:
    """Keeps what a test sends, which is little."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []
        self.ended = 0

    def begin(self, content_type: str) -> None:
        self.parts.append((content_type, b""))

    def write(self, fragment: memoryview) -> None:
        kind, so_far = self.parts[-1]
        self.parts[-1] = kind, so_far + bytes(fragment)

    def end(self) -> None:
        self.ended += 1


CONTENTS = (b"\r\n--b\r-\r\n--almost", b"", b"\r\n" * 9)
BODY = (
    b"".join(b"--bound\r\nContent-Type: x/y\r\n\r\n" + c + b"\r\n" for c in CONTENTS) + b"--bound--"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30, 1000])
def test_parts_are_the_same_however_the_body_is_cut(size: int) -> None:
    parts = Parts()
    parser = MultipartRelated(b"bound", parts)
    for start in range(0, len(BODY), size):
        parser.write(BODY[start : start + size])
    parser.finish()
    assert parts.parts == [("x/y", content) for content in CONTENTS]
    assert parts.ended == len(CONTENTS)


def test_a_body_that_is_cut_off_is_no_message() -> None:
    for end in range(len(BODY)):
        parser = MultipartRelated(b"bound", Parts())
        parser.write(BODY[:end])
        with pytest.raises(BadMultipart):
            parser.finish()


def _failed(status: int, limit: str = "") -> Stored:
    return Stored("1.2", "1.3", status, "", "failed", limit)


@pytest.mark.parametrize(
    ("instances", "status"),
    [
        ([_failed(0)], 200),
        ([_failed(0), _failed(0xA900)], 202),
        ([_failed(0xA900), _failed(0xA700)], 409),
        ([_failed(0xA700), _failed(0xA700, "min_free_bytes")], 503),
        ([_failed(0xA700, "max_study_instances")], 409),
        ([_failed(0xA700, "max_instance_bytes")], 413),
    ],
)
def test_the_status_says_whether_to_come_again(instances: list[Stored], status: int) -> None:
    assert status_of(instances) == status


def _problems(web: config.Dicomweb) -> str:
    return "\n".join(
        [*web.contradictions(), *(p for one in web.callers for p in one.contradictions())]
    )


def test_settings_that_would_show_a_token_or_let_anybody_in_are_refused() -> None:
    token = config.WebCaller("A", token="x" * 20)
    assert _problems(config.Dicomweb(callers=(token,))) == ""
    assert "tls" in _problems(config.Dicomweb(address="0.0.0.0", callers=(token,)))
    assert "anybody" in _problems(config.Dicomweb(callers=(config.WebCaller("A"),)))
    named = config.WebCaller("A", subject="a.example.org")
    assert "without TLS" in _problems(config.Dicomweb(callers=(named,)))


def test_a_token_is_masked_and_never_repeated() -> None:
    web = config.Dicomweb(callers=(config.WebCaller("A", token="of-nobodys-business"),))
    whole = config.Config(receive=config.Receive(dicomweb=web))
    assert "of-nobodys" not in str(config.masked(whole))
