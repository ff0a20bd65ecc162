"""The running classifier: one thread owns the device, and waiting studies fill its batches."""

import logging
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from msnode import metrics
from msnode.classify import saliency
from msnode.classify.bundle import Bundle
from msnode.classify.decision import slice_probabilities
from msnode.classify.device import Compute
from msnode.classify.finding import decide
from msnode.classify.saliency import Explained
from msnode.config import Classify
from msnode.errors import Refused, TryLater
from msnode.records.images import Float32Array, InputContract, Slices
from msnode.records.lesions import LesionFinding
from msnode.records.results import Finding, ModelInfo, Scores
from msnode.records.sentences import Sentence

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Request:
    """A study's slices on their way through the batches.

    Attributes:
        images: (slices, channels, rows, cols) float32.
        taken: slices that have been put into a batch.
        parts: what came back, in order.
        result: of the whole study.
    """

    images: Tensor
    taken: int = 0
    parts: list[Explained] = field(default_factory=list)
    result: Future[Explained] = field(default_factory=Future)

    def add(self, part: Explained) -> None:
        """Take the next slices' outputs; the last ones complete the result."""
        self.parts.append(part)
        if sum(len(logits) for logits, _ in self.parts) == len(self.images):
            logits, grids = zip(*self.parts, strict=True)
            self.result.set_result(
                (torch.cat(logits), tuple(map(torch.cat, zip(*grids, strict=True))))
            )


class Runner:
    """Scores studies for any number of threads at a time.

    Args:
        bundle: the model; belongs to the runner from now on.
        config: device, precision, batch and threads.

    Raises:
        ConfigError: the device is not there.
    """

    def __init__(self, bundle: Bundle, config: Classify) -> None:
        self._bundle = bundle
        self._compute = Compute(bundle, config)
        self._batch = config.batch
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._warm = False
        self._warming = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="classifier", daemon=True)
        self._thread.start()

    @property
    def contract(self) -> InputContract:
        """The images that the model wants."""
        return self._bundle.contract

    @property
    def info(self) -> ModelInfo:
        """Which model speaks."""
        return self._bundle.info

    @property
    def device(self) -> str:
        """Where it computes, for the log."""
        return str(self._compute.device)

    @property
    def is_sound(self) -> bool:
        """Whether the device works; after most of its failures only a new process can use it."""
        return self._compute.is_sound

    def warm_up(self) -> None:
        """Prepare the device, once; without this call the first study waits for it."""
        with self._warming:
            if not self._warm:
                way = self._compute.warm_up()
                log.info("classifier: %s on %s, %s", self.info.name, self.device, way)
                self._warm = True

    def score(self, slices: Slices) -> Scores:
        """Classify a study's slices; blocks until they are done.

        Raises:
            Refused: the slices are not what the model takes, or it gives no number for one.
            TryLater: no memory, the device failed, or the runner is being closed.
        """
        self._check(slices.pixels)
        request = _Request(torch.from_numpy(slices.pixels))
        with self._changed:
            if self._closed:
                raise TryLater("the classifier is being closed")
            self._waiting.append(request)
            self._changed.notify()
        logits, grids = request.result.result()
        return self._scores(logits.numpy(), tuple(g.numpy() for g in grids), slices.pixels)

    def decide(
        self, scores: Scores, slices: Slices, lesions: LesionFinding | None = None
    ) -> Finding:
        """The study's result; see ``finding.decide``."""
        return decide(scores, slices, self._bundle.manifest, lesions)

    def close(self) -> None:
        """Finish the batch under way; studies that still wait get TryLater."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._compute.close()

    def _check(self, pixels: Float32Array) -> None:
        """The slices are what the model takes."""
        c = self.contract
        wanted = (c.channels, c.rows, c.cols)
        if pixels.ndim != 4 or not len(pixels) or pixels.shape[1:] != wanted:
            raise Refused(
                Sentence(
                    "slices_shape",
                    shape=str(pixels.shape),
                    model=self.info.name,
                    wanted=str(wanted),
                )
            )
        odd = np.flatnonzero(~np.isfinite(pixels).all((1, 2, 3)))
        if odd.size:
            raise Refused(Sentence("pixel_not_finite", number=int(odd[0])))

    def _scores(
        self, logits: Float32Array, grids: tuple[Float32Array, ...], pixels: Float32Array
    ) -> Scores:
        """Calibrate and draw."""
        manifest = self._bundle.manifest
        shown = saliency.render(grids, self._bundle.model.grids, pixels, manifest.saliency)
        probabilities = slice_probabilities(logits, manifest.calibration)
        if not np.isfinite(probabilities).all():
            name = f"{self.info.name} {self.info.version}"
            raise Refused(Sentence("no_finite_score", model=name))
        return Scores(probabilities, shown)

    def _serve(self) -> None:
        """The device's thread: batch after batch until closed."""
        while batch := self._next():
            try:
                self.warm_up()
                images = torch.cat([r.images[first:last] for r, first, last in batch])
                with metrics.INFERENCE_SECONDS.time():
                    explained = self._compute(images)
                _hand_out(batch, explained)
            except BaseException as error:  # noqa: BLE001 - handed to the studies' own threads
                self._fail(batch, error)

    def _next(self) -> list[tuple[_Request, int, int]]:
        """Wait for slices; the oldest study's first, filled up from the next. Empty: closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                self._give_up()
                return []
            batch, room = [], self._batch
            while self._waiting and room:
                request = self._waiting[0]
                first = request.taken
                request.taken = min(first + room, len(request.images))
                room -= request.taken - first
                batch.append((request, first, request.taken))
                if request.taken == len(request.images):
                    self._waiting.popleft()
            return batch

    def _give_up(self) -> None:
        """Tell every waiting study to come again."""
        while self._waiting:
            request = self._waiting.popleft()
            request.result.set_exception(TryLater("the classifier was closed"))

    def _fail(self, batch: list[tuple[_Request, int, int]], error: BaseException) -> None:
        """End the studies of a failed batch; their other slices are not computed any more."""
        with self._changed:
            for request, _, _ in batch:
                if request in self._waiting:
                    self._waiting.remove(request)
                if not request.result.done():
                    request.result.set_exception(error)


def _hand_out(batch: list[tuple[_Request, int, int]], explained: Explained) -> None:
    """Give each study of a batch its own slices' outputs."""
    logits, grids = explained
    done = 0
    for request, first, last in batch:
        part = slice(done, done := done + last - first)
        request.add((logits[part], tuple(g[part] for g in grids)))
