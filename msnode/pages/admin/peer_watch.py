"""Asks everybody whom the node talks to, now and then, whether they are there."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from msnode.config import (
    Config,
    DicomPeer,
    FhirServer,
    Folder,
    Hl7Destination,
    PeerSource,
    StowServer,
    Webhook,
)
from msnode.errors import MsnodeError, origin
from msnode.manage.reaching import reach_destination, reach_source
from msnode.requestor import fhir_search

log = logging.getLogger(__name__)

FIRST_S, EVERY_S = 1.0, 300.0
AT_ONCE = 4
KINDS: dict[type, str] = {
    DicomPeer: "dicom",
    StowServer: "stow",
    FhirServer: "fhir",
    Hl7Destination: "hl7",
    Webhook: "webhook",
    Folder: "folder",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody to be asked.

    Attributes:
        name: as configured.
        kind: code of a phrase in the section ``admin``, after ``peer_``.
        place: where it is, as far as that is no secret.
        ask: raises `MsnodeError` or OSError, unless it is there.
    """

    name: str
    kind: str
    place: str
    ask: Callable[[], None]


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What came of asking.

    Attributes:
        problem: "" where it is there.
        at: unix time in seconds.
        seconds: that it took.
    """

    problem: str
    at: float
    seconds: float


class PeerWatch(threading.Thread):
    """Asks until it is stopped.

    Args:
        config: of the node.

    Attributes:
        peers: who is asked.
        answers: the last one of each, by its name and kind.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(name="peer-watch", daemon=True)
        self.peers = list(_peers(config))
        self.answers: dict[tuple[str, str], PeerAnswer] = {}
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._asking = threading.Lock()

    def run(self) -> None:
        """One round after the other."""
        self._wanted.wait(FIRST_S)
        while not self._stopping.is_set():
            self._wanted.clear()
            self.ask()
            self._wanted.wait(EVERY_S)

    def ask_soon(self) -> None:
        """Begin a round now."""
        self._wanted.set()

    @property
    def is_asking(self) -> bool:
        """Whether a round is under way, or is about to begin."""
        return self._asking.locked() or self._wanted.is_set()

    def ask(self) -> None:
        """Ask everybody, some at a time."""
        with self._asking, ThreadPoolExecutor(AT_ONCE, "peer") as pool:
            for peer, answer in zip(self.peers, pool.map(_answer, self.peers), strict=True):
                self.answers[peer.name, peer.kind] = answer

    def stop(self) -> None:
        """Begin no other round."""
        self._stopping.set()
        self._wanted.set()


def _answer(peer: Peer) -> PeerAnswer:
    began = time.time()
    problem = ""
    try:
        peer.ask()
    except (MsnodeError, OSError) as error:
        problem = str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001 - an odd answer of one must not keep others' away
        log.error("peer=%s asking failed error=%s at=%s", peer.name, *origin(error))
        problem = type(error).__name__
    return PeerAnswer(problem, began, time.time() - began)


def _peers(config: Config) -> Iterator[Peer]:
    receive = config.receive
    for one in config.destinations:
        if isinstance(one, Folder):
            ask = partial(_folder, one)
        else:
            ask = partial(reach_destination, one, receive)
        yield Peer(one.name, KINDS[type(one)], _place(one), ask)
    for source in config.priors:
        ask = partial(reach_source, source, config)
        yield Peer(source.name, "source", _place(source), ask)
    for clinic in config.clinical:
        yield Peer(clinic.name, "clinical", "", partial(fhir_search.try_out, clinic, clinic.name))


def _place(one: object) -> str:
    """Of a DICOM peer all of it; of others nothing, as an address may hold a key."""
    if isinstance(one, DicomPeer | PeerSource):
        return f"{one.ae_title}@{one.host}:{one.port}"
    return ""


def _folder(destination: Folder) -> None:
    """That files can be put there."""
    if not os.access(destination.folder, os.W_OK | os.X_OK):
        raise MsnodeError(f"{destination.folder} is not there, or may not be written")
