"""Earlier studies from archives of two makes, and from sources that are not what they should be."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from msnode.config import Config, DicomPeer, PeerSource, Receive, Retry
from msnode.deliver.c_store import send
from msnode.errors import Refused
from msnode.manage import reaching
from msnode.store.prior_searches import Fate, PriorStudy, State
from tests.acceptance import archives, peers
from tests.acceptance.archives import ASKER
from tests.integration.priors_site import KEY, NOW, THEN, Site, image, saved, site

ROOT = THEN.rpartition(".")[0]
OLDER, OLDEST, SPINE, OTHERS, LATER = (f"{ROOT}.{n}" for n in (2, 3, 4, 5, 6))
QUICK = Retry(0.1, 0.2, 1.0)


def archived() -> list[Dataset]:
    """What an archive has: earlier studies of the patient, others, and what is not comparable."""
    return [
        *(image(THEN, "20230115", n) for n in (1, 2, 3)),
        image(THEN, "20230115", series=2, SeriesDescription="T1 MPRAGE"),
        image(OLDER, "20220115"),
        image(OLDEST, "20210115"),
        image(SPINE, "20230615", StudyDescription="MR C-SPINE", SeriesDescription="FLAIR sag"),
        image(OTHERS, "20230201", PatientID="4712"),
        image(LATER, "20240301"),
        image(NOW, "20240115"),
    ]


@contextmanager
def orthanc(folder: Path, node_port: int) -> Iterator[tuple[str, int]]:
    with peers.orthanc(folder, node_port=node_port) as pacs:
        yield pacs.ae_title, pacs.port


@contextmanager
def dcmqrscp(folder: Path, node_port: int) -> Iterator[tuple[str, int]]:
    with archives.dcmqrscp(folder, node_port) as archive:
        yield archive.ae_title, archive.port


Started = Callable[[Path, int], AbstractContextManager[tuple[str, int]]]


@pytest.mark.parametrize("by", ["c-move", "c-get"])
@pytest.mark.parametrize("started", [dcmqrscp, orthanc])
def test_what_is_comparable_is_fetched_from_an_archive(
    started: Started, by: Any, tmp_path: Path
) -> None:
    port = peers.free_port()
    with started(tmp_path / "archive", port) as (title, archive_port):
        paths = saved(tmp_path / "had", *archived())
        peer = DicomPeer("pacs", title, "127.0.0.1", archive_port)
        assert all(receipt.delivered for receipt in send(paths, peer, ASKER))
        source = PeerSource("pacs", title, "127.0.0.1", archive_port, by=by)
        receive = Receive(address="127.0.0.1", port=port)
        reaching.reach_source(source, Config(receive=receive))
        with site(tmp_path / "node", source, port) as made:
            assert made.attempt()["state"] == State.DONE
            assert {uid: state for uid, (state, _) in made.rows().items()} == {
                THEN: "kept", OLDER: "kept",
                **dict.fromkeys(set(made.rows()) - {THEN, OLDER}, "rejected"),
            }  # fmt: skip
            assert made.rows().get(OLDEST, ("", "others are newer"))[1] == "others are newer"
            assert OTHERS not in made.rows()
            assert made.ordinary() == set(), "what was asked for is nobody's new study"
            assert_audited(made)


def assert_audited(made: Site) -> None:
    """The query, and the begin and end of each transfer."""
    peers.wait(lambda: len(made.receiver.audited()) >= 5, 5, "the audit trail")
    trail = "\n".join(made.receiver.audited())
    assert trail.count('csd-code="110112"') == 1
    assert trail.count('csd-code="110104"') >= 2, "the instances of two studies"


def test_only_the_series_that_help_come_and_all_their_images(tmp_path: Path) -> None:
    port = peers.free_port()
    with orthanc(tmp_path / "archive", port) as (title, archive_port):
        paths = saved(tmp_path / "had", *archived())
        peer = DicomPeer("pacs", title, "127.0.0.1", archive_port)
        send(paths, peer, ASKER)
        source = PeerSource("pacs", title, "127.0.0.1", archive_port, how_many=1)
        with site(tmp_path / "node", source, port) as made:
            [key] = made.step.fetch(KEY, 1, "pacs")["arrived"]
            assert made.visits.arrived(key) == 3, "not the T1"


Answers = Callable[[Event], Iterator[tuple[int, Dataset | None]]]


@contextmanager
def liar(studies: list[Dataset], move: Any = None, get: Any = None) -> Iterator[int]:
    """A source that answers every C-FIND with these, whatever was asked for."""
    entity, port = AE(ae_title="LIAR"), peers.free_port()
    for one in (StudyRootQueryRetrieveInformationModelFind, Verification,
                StudyRootQueryRetrieveInformationModelMove,
                StudyRootQueryRetrieveInformationModelGet):  # fmt: skip
        entity.add_supported_context(one)
    entity.add_supported_context(MRImageStorage, scu_role=True, scp_role=True)

    def found(event: Event) -> Iterator[tuple[int, Dataset | None]]:
        level = event.identifier.QueryRetrieveLevel
        for one in studies:
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            names = ["StudyInstanceUID", "PatientID", "StudyDate", "PatientBirthDate"]
            if level == "SERIES":
                names = ["StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription"]
            for name in names:
                setattr(answer, name, one.get(name))
            if level == "STUDY" or one.StudyInstanceUID == event.identifier.StudyInstanceUID:
                yield 0xFF00, answer

    handlers: list[Any] = [(evt.EVT_C_FIND, found)]
    handlers += [(evt.EVT_C_MOVE, move)] if move else []
    handlers += [(evt.EVT_C_GET, get)] if get else []
    with peers.serving(entity, port, handlers):
        yield port


def source_at(port: int, **more: Any) -> PeerSource:
    return PeerSource("liar", "LIAR", "127.0.0.1", port, **{"retry": QUICK, **more})


def sending(image: Dataset) -> Answers:
    """A C-GET that sends this, whatever was asked for."""

    def get(_: Event) -> Iterator[Any]:
        yield 1
        yield 0xFF00, image

    return get


def nothing(_: Event) -> Iterator[Any]:
    """A C-MOVE to nobody that succeeds."""
    yield None, None


def test_success_without_images_is_tried_again_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.flow.prior_step.ARRIVE_S", 0.1)

    def empty(_: Event) -> Iterator[Any]:
        yield 0

    with (
        liar([image(THEN, "20230115")], get=empty) as port,
        site(tmp_path, source_at(port, by="c-get")) as made,
    ):
        first = made.attempt()
        assert (first["state"], first["failed"]) == (State.OPEN, True)
        assert "0 came as its answer" in first["detail"]
        states = [first["state"]]
        while states[-1] == State.OPEN and len(states) < 20:
            states.append(made.attempt()["state"])
        assert states[-1] == State.GIVEN_UP, "there is an end"
        assert made.step.searches.holds([KEY]) == {}


@pytest.mark.parametrize(
    "sent",
    [
        image(THEN, "20230115", PatientID="4712"),
        image(THEN, "20230115", PatientID=""),
    ],
)
def test_another_patients_images_are_refused(
    sent: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msnode.flow.prior_step.ARRIVE_S", 0.1)
    saved(tmp_path / "sent", sent)

    with (
        liar([image(THEN, "20230115")], get=sending(sent)) as port,
        site(tmp_path, source_at(port, by="c-get")) as made,
    ):
        assert made.attempt()["failed"]
        assert made.visits.kept == []
        assert made.ordinary() == set()
        assert not list(made.receiver.folder.glob("fetched/*/*.dcm"))


def test_images_of_somebody_born_on_another_day_are_compared_with_nothing(tmp_path: Path) -> None:
    """Whatever the source had answered."""
    sent = image(THEN, "20230115", PatientBirthDate="19790101")
    saved(tmp_path / "sent", sent)

    with (
        liar([image(THEN, "20230115")], get=sending(sent)) as port,
        site(tmp_path, source_at(port, by="c-get")) as made,
    ):
        made.attempt()
        assert made.rows() == {THEN: ("unusable", "another PatientBirthDate")}
        assert made.visits.kept == []
        assert not list(made.receiver.folder.glob("fetched/*/*.dcm"))


def test_answers_of_others_and_of_the_future_are_never_fetched(tmp_path: Path) -> None:
    """The source ignores all keys; what it says of others is not even put on record."""
    had = [
        image(OTHERS, "20230201", PatientID="4712"),
        image(LATER, "20240301"),
        image(f"{ROOT}.7", "20240115"),
        image(f"{ROOT}.8", ""),
        image(f"{ROOT}.10", "20230201", PatientBirthDate="19790101"),
    ]
    with liar(had, move=nothing) as port, site(tmp_path, source_at(port)) as made:
        made_of = made.attempt()
        assert (made_of["state"], made_of["arrived"]) == (State.DONE, [])
        assert {uid: why for uid, (_, why) in made.rows().items()} == {
            LATER: "not before the present study",
            f"{ROOT}.7": "not before the present study",
            f"{ROOT}.8": "no StudyDate",
            f"{ROOT}.10": "another PatientBirthDate",
        }


def test_a_source_that_never_answers_lets_the_result_go(tmp_path: Path) -> None:
    """Its connection is open, and nobody is behind it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        source = source_at(deaf.getsockname()[1])
        with site(tmp_path, source) as made:
            asking = threading.Thread(target=made.attempt, daemon=True)
            asking.start()
            made.step.searches.begin("f" * 16, 1, {"liar": 0.2})
            assert 0 < made.step.searches.holds(["f" * 16])["f" * 16] <= 0.2
            peers.wait(lambda: not made.step.searches.holds(["f" * 16]), 2, "the time to be over")


def test_a_source_that_does_not_retrieve_is_named_before_the_start() -> None:
    entity, port = AE(ae_title="LIAR"), peers.free_port()
    for one in (StudyRootQueryRetrieveInformationModelFind, Verification):
        entity.add_supported_context(one)
    with peers.serving(entity, port, []):
        for by in ("c-move", "c-get"):
            with pytest.raises(Refused, match="does not support"):
                reaching.reach_source(source_at(port, by=by), Config(receive=Receive(port=1)))


def test_what_was_not_asked_for_is_an_ordinary_study(tmp_path: Path) -> None:
    """Even where it names us as who asked for it; and so is what was, when somebody sends it."""
    port = peers.free_port()
    with site(tmp_path, source_at(1), port) as made:
        paths = saved(tmp_path / "sent", image(THEN, "20230115"), image(OLDER, "20220115"))
        made.step.searches.found(KEY, "liar", chosen_of(THEN))
        made.step.searches.asks(KEY, "liar", chosen_of(THEN)[0].key)
        peer = AE(ae_title="LIAR")
        peer.add_requested_context(MRImageStorage)
        association = peer.associate("127.0.0.1", port, ae_title="MSNODE")
        for path in paths:
            status = association.send_c_store(str(path), originator_aet="MSNODE", originator_id=1)
            assert status.Status == 0x0000
        association.release()
        assert made.ordinary() == {OLDER}
        assert made.visits.arrived(chosen_of(THEN)[0].key) == 1
        send(paths[:1], DicomPeer("us", "MSNODE", "127.0.0.1", port), "MRI1")
        assert made.ordinary() == {OLDER, THEN}


def chosen_of(uid: str) -> list[PriorStudy]:
    """A study with one image, as it is chosen."""
    return [PriorStudy(uid, "20230115", Fate.CHOSEN, "", {f"{uid}.1": 1})]
