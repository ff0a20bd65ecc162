"""Earlier studies by QIDO-RS and WADO-RS: from Orthanc, and from servers that misbehave."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom import Dataset

from msnode.config import Basic, Config, WebSource
from msnode.errors import Refused, TryLater
from msnode.manage import reaching
from msnode.store.prior_searches import State
from tests.acceptance import peers
from tests.http_receiver import Receiver, serving, status
from tests.integration.priors_site import KEY, NOW, THEN, image, site
from tests.integration.stowing import BOUNDARY, RELATED, multipart, part10
from tests.integration.test_priors import (
    LATER,
    OLDER,
    OLDEST,
    OTHERS,
    QUICK,
    archived,
    assert_audited,
)

TYPED = RELATED.replace("the-boundary", f'"{BOUNDARY}"')


def test_what_is_comparable_is_fetched_from_orthanc(tmp_path: Path) -> None:
    with peers.orthanc(tmp_path / "archive") as pacs:
        for one in archived():
            pacs.get("/instances", part10(one), "application/dicom")
        url = f"http://127.0.0.1:{pacs.http_port}/dicom-web"
        source = WebSource("pacs", dicomweb=url)
        reaching.reach_source(source, Config())
        with site(tmp_path / "node", source, 0) as made:
            assert made.attempt()["state"] == State.DONE
            assert {uid: state for uid, (state, _) in made.rows().items()} == {
                THEN: "kept", OLDER: "kept",
                **dict.fromkeys(set(made.rows()) - {THEN, OLDER}, "rejected"),
            }  # fmt: skip
            assert made.rows().get(OLDEST, ("", "others are newer"))[1] == "others are newer"
            assert OTHERS not in made.rows()
            assert made.ordinary() == set()
            assert_audited(made)


def matches(*datasets: Dataset) -> bytes:
    return json.dumps([one.to_json_dict() for one in datasets]).encode()


class Server:
    """A DICOMweb server that answers every search with these, and sends what a test wants."""

    def __init__(self, *had: Dataset, body: bytes, media_type: str = TYPED) -> None:
        self.had = had
        self.body = body
        self.media_type = media_type

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if path.endswith("/studies"):
            self.say(handler, matches(*self.had), "application/dicom+json")
        elif path.endswith("/series"):
            study = path.split("/")[-2]
            mine = [one for one in self.had if one.StudyInstanceUID == study]
            self.say(handler, matches(*mine), "application/dicom+json")
        else:
            self.say(handler, self.body, self.media_type)

    def say(self, handler: BaseHTTPRequestHandler, body: bytes, media_type: str) -> None:
        status(200, **{"Content-Type": media_type, "Content-Length": str(len(body))})(handler)
        handler.wfile.write(body)


def at(receiver: Receiver, **settings: Any) -> WebSource:
    return WebSource("web", dicomweb=f"{receiver.url}/rs", retry=QUICK, **settings)


def test_it_is_asked_by_the_keys_of_a_c_find(tmp_path: Path) -> None:
    had = image(THEN, "20230115")
    server = Server(had, body=multipart([part10(had)]))
    with serving(server.answer) as receiver:
        source = at(receiver, auth=Basic("node", "secret"))
        with site(tmp_path, source, 0) as made:
            assert made.attempt()["state"] == State.DONE
            assert made.rows()[THEN][0] == "kept"
    first, second, third = receiver.requests
    query = parse_qs(urlsplit(first[0]).query)
    assert (query["PatientID"], query["StudyDate"]) == (["4711"], ["20190115-20240114"])
    assert {"StudyInstanceUID", "ModalitiesInStudy"} <= set(query["includefield"])
    assert urlsplit(second[0]).path == f"/rs/studies/{THEN}/series"
    assert third[0] == f"/rs/studies/{THEN}/series/{THEN}.1"
    assert third[1]["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'
    assert all(headers["Authorization"].startswith("Basic ") for _, headers, _ in receiver.requests)


def test_answers_of_others_and_of_the_future_are_never_fetched(tmp_path: Path) -> None:
    had = [image(OTHERS, "20230201", PatientID="4712"), image(LATER, "20240301")]
    with (
        serving(Server(*had, body=b"").answer) as receiver,
        site(tmp_path, at(receiver), 0) as made,
    ):
        assert made.attempt()["state"] == State.DONE
        assert {uid: why for uid, (_, why) in made.rows().items()} == {
            LATER: "not before the present study"
        }
    assert len(receiver.requests) == 1


GOOD = part10(image(THEN, "20230115"))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (multipart([part10(image(THEN, "20230115", PatientID="4712"))]), TYPED),
        (multipart([part10(image(NOW, "20230115"))]), TYPED),
        (multipart([GOOD])[:-20], TYPED),
        (multipart([b"no file"]), TYPED),
        (multipart([GOOD], "text/plain"), TYPED),
        (b"", TYPED),
        (GOOD, "application/dicom"),
        (b"{}", "application/json"),
        (multipart([GOOD]), 'multipart/related; type="application/dicom"'),
    ],
    ids=["another patient", "another study", "no end", "no file", "text", "empty",
         "single", "json", "no boundary"],
)  # fmt: skip
def test_what_is_not_what_was_asked_for_is_not_kept(
    body: bytes, media_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.flow.prior_step.ARRIVE_S", 0.1)
    server = Server(image(THEN, "20230115"), body=body, media_type=media_type)
    with serving(server.answer) as receiver, site(tmp_path, at(receiver), 0) as made:
        assert made.attempt()["failed"]
        assert made.visits.kept == []
        assert made.ordinary() == set()
        assert not list(made.receiver.folder.glob("incoming/*.part"))


def never(_: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)


def bits(handler: BaseHTTPRequestHandler) -> None:
    for _ in range(100):
        handler.wfile.write(b"H")
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [never, bits, status(500), status(401), status(302)])
def test_a_server_that_does_not_answer_is_asked_again(
    answer: Callable[[BaseHTTPRequestHandler], None], tmp_path: Path
) -> None:
    begun = time.monotonic()
    with serving(answer) as receiver, site(tmp_path, at(receiver, timeout_s=0.4), 0) as made:
        attempt = made.attempt()
        assert (attempt["failed"], attempt["state"]) == (True, State.OPEN)
        assert time.monotonic() - begun < 5
        with pytest.raises((TryLater, Refused)):
            reaching.reach_source(made.source, Config())


def test_a_large_body_is_never_in_memory(tmp_path: Path) -> None:
    """What comes is written as it comes: an image of 64 MB, in pieces of at most 256 kB."""
    import tracemalloc

    had = image(THEN, "20230115")
    large = image(THEN, "20230115", PixelData=bytes(64 * 1024**2))
    server = Server(had, body=multipart([part10(large)]))
    del large
    with serving(server.answer) as receiver, site(tmp_path, at(receiver), 0) as made:
        tracemalloc.start()
        made.step.fetch(KEY, 1, "web")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        [file] = made.receiver.folder.glob("fetched/*/*.dcm")
        assert file.stat().st_size > 64 * 1024**2
    assert peak < 16 * 1024**2
