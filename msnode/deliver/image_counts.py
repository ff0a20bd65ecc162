"""Asks the PACS, in the background, whether it has more images of a study than have come here."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from msnode.config import DicomPeer
from msnode.deliver.c_find import count_images
from msnode.errors import MsnodeError, origin
from msnode.records.uid_hash import uid_hash

log = logging.getLogger(__name__)

AGAIN_S = 15.0
"""An answer is so old at most: the PACS may be receiving the study, too."""
PAUSE_S = 60.0
"""A peer that did not answer is left alone for so long, and holds up no study."""
AT_ONCE = 4
"""Queries under way."""


@dataclass(slots=True)
class _Answer:
    """How many images of each series the peer has; None while it has not answered."""

    asked: float
    counts: Mapping[str, int] | None = None


class ImageCounts:
    """What a peer answered of late; safe in threads.

    Args:
        peer: who is asked.
        calling_ae_title: ours.
    """

    def __init__(self, peer: DicomPeer, calling_ae_title: str) -> None:
        self._peer = peer
        self._calling = calling_ae_title
        self._answers: dict[str, _Answer] = {}
        self._silent_until = 0.0
        self._lock = threading.Lock()

    def has_all(self, study_instance_uid: str, held: Mapping[str, int]) -> bool | None:
        """Whether the peer has no more images than we hold; asks it, but never waits for it.

        Args:
            study_instance_uid: of the study.
            held: images that came, by SeriesInstanceUID; of other series nothing was sent to us,
                and nothing is missed.

        Returns:
            None as long as it has not answered; True also where it cannot be asked, so that a
            PACS that is down holds up no study.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._silent_until:
                return True
            answer = self._answers.get(study_instance_uid)
            if answer is None or (answer.counts is not None and now - answer.asked > AGAIN_S):
                self._begin(study_instance_uid, now)
                return None
            if answer.counts is None:
                return None
            return all(count <= held.get(uid, count) for uid, count in answer.counts.items())

    def _begin(self, study_instance_uid: str, now: float) -> None:
        """Ask in a thread of its own, unless enough are under way."""
        waiting = {uid: one for uid, one in self._answers.items() if one.counts is None}
        if len(waiting) >= AT_ONCE:
            return
        fresh = {uid: one for uid, one in self._answers.items() if now - one.asked <= AGAIN_S}
        self._answers = fresh | waiting | {study_instance_uid: _Answer(now)}
        args = (study_instance_uid,)
        threading.Thread(target=self._ask, args=args, name="image-counts", daemon=True).start()

    def _ask(self, study_instance_uid: str) -> None:
        """One query; whatever goes wrong, the study does not wait for it."""
        counts: Mapping[str, int] = {}
        silent_until, why = 0.0, ""
        try:
            counts = count_images(study_instance_uid, self._peer, self._calling)
        except (MsnodeError, OSError) as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - an answer can hold anything; see docstring
            why = "{} at={}".format(*origin(error))
        if why:
            silent_until = time.monotonic() + PAUSE_S
            log.warning(
                "study=%s the source=%s was not counted, its studies are taken without: %s",
                uid_hash(study_instance_uid), self._peer.name, why,
            )  # fmt: skip
        with self._lock:
            self._answers[study_instance_uid] = _Answer(time.monotonic(), counts)
            self._silent_until = silent_until
